"""A resource's bytes are those that protobuf's own constructors and deterministic serialization give."""

from __future__ import annotations

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from cosi._pb.v1alpha1 import resource_pb2
from cosi.resource import wire
from cosi.resource.metadata import Metadata, Phase, Pointer, pairs
from cosi.resource.resource import AnyResource, OpaqueSpec, Resource, Tombstone
from cosi.resource.spec import Spec
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec

_SECOND = 1_000_000_000
_LENGTHS_AT_BOUNDS = st.sampled_from([0, 1, 63, 64, 127, 128, 8191, 8192, 16383, 16384])
_TEXT = st.text(max_size=6) | st.builds(str.__mul__, st.sampled_from("xé界"), _LENGTHS_AT_BOUNDS)
_BYTES = st.binary(max_size=6) | _LENGTHS_AT_BOUNDS.map(bytes)
_PAIRS = st.dictionaries(_TEXT, _TEXT, max_size=5).map(pairs)
_TIMES = (
    st.sampled_from([0, 1, -1, _SECOND - 1, _SECOND, -_SECOND])
    | st.integers(min_value=-62_135_596_800 * _SECOND, max_value=253_402_300_799 * _SECOND)
    | st.integers(min_value=-(2**63), max_value=2**63 - 1).map(lambda seconds: seconds * _SECOND)
)
_METADATA = st.builds(
    Metadata,
    namespace=_TEXT,
    type=_TEXT,
    id=_TEXT,
    version=st.none() | st.integers(min_value=0, max_value=2**64 - 1),
    owner=_TEXT,
    phase=st.sampled_from(Phase),
    finalizers=st.lists(_TEXT, max_size=3).map(tuple),
    labels=_PAIRS,
    annotations=_PAIRS,
    created=_TIMES,
    updated=_TIMES,
)
_SPECS = st.builds(OpaqueSpec, _BYTES, _TEXT) | st.none() | st.builds(IntSpec, value=st.integers(-(2**63), 2**63 - 1))


@given(st.builds(Resource, _METADATA, _SPECS))
def test_the_bytes_are_those_that_protobuf_writes(resource: AnyResource) -> None:
    assert wire.encode(resource) == _constructed(resource).SerializeToString(deterministic=True)


def test_many_labels_and_annotations_are_written_in_order() -> None:
    many = {f"{number * 7919 % 1000:03}": "x" * (number % 3) for number in range(1000)}
    backwards = dict(reversed(many.items()))
    resource = PathResource.new("a", PathSpec(path="a"), labels=many, annotations=backwards)
    same = PathResource.new("a", PathSpec(path="a"), labels=backwards, annotations=many)

    data = wire.encode(resource)

    assert data == wire.encode(same) == _constructed(resource).SerializeToString(deterministic=True)


def test_a_large_spec_is_written_as_protobuf_does() -> None:
    resource = Resource(
        Metadata("default", "Strangers.test.cosi.dev", "a"), OpaqueSpec(bytes(1 << 21), "é" * (1 << 20))
    )

    assert wire.encode(resource) == _constructed(resource).SerializeToString(deterministic=True)


def test_a_tombstone_says_all_of_its_parts_are_there() -> None:
    message = resource_pb2.Resource.FromString(
        wire.encode(Tombstone.at(Pointer("default", "Paths.test.cosi.dev", "a")))
    )

    assert message.HasField("metadata")
    assert message.HasField("spec")
    assert message.metadata.HasField("created")
    assert message.metadata.HasField("updated")


def test_encoding_leaves_no_trace_in_the_resource() -> None:
    resource = IntResource.new("a", IntSpec(value=1))

    wire.encode(resource)

    assert resource.wire is None


def test_a_time_that_no_message_can_hold_is_an_error() -> None:
    resource = Resource(Metadata("default", "T", "a", created=2**63 * _SECOND), OpaqueSpec(b"", ""))

    with pytest.raises(ValueError, match="out of range"):
        wire.encode(resource)


def test_text_that_is_no_unicode_is_an_error() -> None:
    resource = Resource(Metadata("default", "T", "\ud800"), OpaqueSpec(b"", ""))

    with pytest.raises(UnicodeEncodeError):
        wire.encode(resource)


def _constructed(resource: AnyResource) -> resource_pb2.Resource:
    metadata, spec = resource.metadata, resource.spec
    if isinstance(spec, Spec):
        spec = OpaqueSpec(spec.to_proto(), spec.to_yaml())
    return resource_pb2.Resource(
        metadata=resource_pb2.Metadata(
            namespace=metadata.namespace,
            type=metadata.type,
            id=metadata.id,
            version=metadata.version_text,
            owner=metadata.owner,
            phase=metadata.phase.value,
            created=_timestamp(metadata.created),
            updated=_timestamp(metadata.updated),
            finalizers=metadata.finalizers,
            labels=dict(metadata.labels),
            annotations=dict(metadata.annotations),
        ),
        spec=resource_pb2.Spec() if spec is None else resource_pb2.Spec(proto_spec=spec.proto, yaml_spec=spec.yaml),
    )


def _timestamp(nanoseconds: int) -> Timestamp:
    return Timestamp(seconds=nanoseconds // _SECOND, nanos=nanoseconds % _SECOND)
