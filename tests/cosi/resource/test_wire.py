"""Whatever a state holds goes over the wire and comes back; whatever comes over the wire is a resource or Malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi._pb.v1alpha1 import resource_pb2
from cosi.resource import wire
from cosi.resource.metadata import Metadata, Phase, Pointer, pairs
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource, OpaqueSpec, Resource, Tombstone
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, sample_registry

_TEXT = st.text(max_size=8)
_PAIRS = st.dictionaries(_TEXT, _TEXT, max_size=3).map(pairs)
_TIMES = st.integers(min_value=-62_135_596_800_000_000_000, max_value=253_402_300_799_999_999_999)
_METADATA = st.builds(
    Metadata,
    namespace=_TEXT,
    type=st.just("Strangers.test.cosi.dev"),
    id=_TEXT,
    version=st.none() | st.integers(min_value=0, max_value=2**64 - 1),
    owner=_TEXT,
    phase=st.sampled_from(Phase),
    finalizers=st.lists(_TEXT, max_size=3, unique=True).map(tuple),
    labels=_PAIRS,
    annotations=_PAIRS,
    created=_TIMES,
    updated=_TIMES,
)
_OPAQUE = st.builds(Resource, _METADATA, st.builds(OpaqueSpec, st.binary(max_size=8), st.text(min_size=1, max_size=8)))
_TYPED = st.builds(
    lambda metadata, value: IntResource(metadata.replace(type=IntResource.definition.type), IntSpec(value=value)),
    _METADATA,
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
)
_WORDS = st.sampled_from(["", "1", "undefined", "running", "tearingDown", "0" * 5000 + "1", "9" * 30, "-1", "1.0", "٣"])
_SECONDS = st.integers(min_value=-(2**63), max_value=2**63 - 1)
_NANOS = st.integers(min_value=-(2**31), max_value=2**31 - 1)


@given(_OPAQUE)
def test_an_opaque_resource_comes_back_bit_for_bit(resource: AnyResource) -> None:
    data = wire.encode(resource)

    back = wire.decode(data, Registry())

    assert back == resource
    assert wire.encode(back) == data


@given(_TYPED)
def test_a_typed_resource_comes_back_to_who_knows_it_and_to_who_does_not(resource: IntResource) -> None:
    data = wire.encode(resource)

    typed = wire.decode(data, sample_registry())
    opaque = wire.decode(data, Registry())

    assert typed == resource or (resource.metadata.version is None and typed.spec is None)
    assert isinstance(opaque.spec, OpaqueSpec)
    assert opaque.spec.yaml == resource.spec.to_yaml()
    assert IntResource.of(opaque) == resource
    assert wire.encode(opaque) == data


def test_the_bytes_are_those_of_the_specification() -> None:
    metadata = Metadata(
        "ns", "T", "id", 7, "own", Phase.TEARING_DOWN, ("F",), pairs({"l": "1"}), pairs({"a": "2"}), 1_000_000_002, 3
    )

    message = resource_pb2.Resource.FromString(wire.encode(Resource(metadata, OpaqueSpec(b"\x08\x01", "value: 1\n"))))

    assert (message.metadata.namespace, message.metadata.type, message.metadata.id) == ("ns", "T", "id")
    assert (message.metadata.version, message.metadata.owner, message.metadata.phase) == ("7", "own", "tearingDown")
    assert (message.metadata.created.seconds, message.metadata.created.nanos) == (1, 2)
    assert (message.metadata.updated.seconds, message.metadata.updated.nanos) == (0, 3)
    assert list(message.metadata.finalizers) == ["F"]
    assert (dict(message.metadata.labels), dict(message.metadata.annotations)) == ({"l": "1"}, {"a": "2"})
    assert (message.spec.proto_spec, message.spec.yaml_spec) == (b"\x08\x01", "value: 1\n")


def test_a_changed_resource_is_encoded_anew() -> None:
    resource = PathResource.new("a", PathSpec(path="a"))
    before = wire.encode(resource)

    after = wire.encode(resource.with_spec(PathSpec(path="b")))

    assert after != before
    assert wire.decode(after, sample_registry()) == resource.with_spec(PathSpec(path="b"))


def test_a_tombstone_comes_back_as_one_where_one_can_be() -> None:
    tombstone = Tombstone.at(Pointer("default", "Paths.test.cosi.dev", "a"))
    message = resource_pb2.Resource.FromString(wire.encode(tombstone))

    assert wire.from_message(message, sample_registry(), tombstones=True) == tombstone
    assert isinstance(wire.from_message(message, sample_registry(), tombstones=True), Tombstone)


def test_a_new_resource_may_have_an_empty_spec() -> None:
    message = resource_pb2.Resource.FromString(
        wire.encode(Tombstone.at(Pointer("default", "Paths.test.cosi.dev", "a")))
    )

    typed = wire.from_message(message, sample_registry())
    opaque = wire.from_message(message, Registry())

    assert typed.spec == PathSpec(path="")
    assert opaque.spec == OpaqueSpec(b"", "")


@given(st.binary(max_size=64))
def test_any_bytes_are_a_resource_or_malformed(data: bytes) -> None:
    _decodes_or_is_malformed(data)


@given(_OPAQUE | _TYPED, st.integers(min_value=0), st.integers(min_value=1, max_value=255), st.booleans())
def test_damaged_bytes_are_a_resource_or_malformed(
    resource: AnyResource, position: int, damage: int, cut: bool
) -> None:
    data = bytearray(wire.encode(resource))
    position %= len(data)
    data[position] ^= damage

    _decodes_or_is_malformed(bytes(data[:position] if cut else data))


@given(_WORDS | _TEXT, _WORDS | _TEXT, st.sampled_from(["", "Ints.test.cosi.dev", "X"]), _SECONDS, _NANOS, st.binary())
def test_any_message_is_a_resource_or_malformed(
    version: str, phase: str, type: str, seconds: int, nanos: int, spec: bytes
) -> None:
    message = resource_pb2.Resource()
    message.metadata.version, message.metadata.phase, message.metadata.type = version, phase, type
    message.metadata.created.seconds, message.metadata.created.nanos = seconds, nanos
    message.spec.proto_spec = spec

    _decodes_or_is_malformed(message.SerializeToString())


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("metadata", lambda message: message.ClearField("metadata")),
        ("spec", lambda message: message.ClearField("spec")),
        ("metadata.type", lambda message: message.metadata.ClearField("type")),
        ("metadata.phase", lambda message: setattr(message.metadata, "phase", "sleeping")),
        ("metadata.version", lambda message: setattr(message.metadata, "version", "one")),
        ("metadata.version", lambda message: setattr(message.metadata, "version", "")),
        ("metadata.version", lambda message: setattr(message.metadata, "version", str(2**64))),
        ("metadata.version", lambda message: setattr(message.metadata, "version", "0" * 5000 + "1")),
        ("metadata.created", lambda message: setattr(message.metadata.created, "seconds", 2**60)),
        ("metadata.created", lambda message: setattr(message.metadata.created, "nanos", -1)),
        ("metadata.updated", lambda message: setattr(message.metadata.updated, "nanos", 10**9)),
        ("spec.proto_spec", lambda message: setattr(message.spec, "proto_spec", b"\xff")),
    ],
)
def test_a_malformed_resource_names_the_part_at_fault(field: str, change: object) -> None:
    message = resource_pb2.Resource.FromString(wire.encode(PathResource.new("a", PathSpec(path="a"))))
    assert callable(change)
    change(message)

    with pytest.raises(wire.Malformed) as refused:
        wire.decode(message.SerializeToString(), sample_registry())

    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ")


def test_a_time_that_was_never_set_in_go_is_accepted() -> None:
    message = resource_pb2.Resource.FromString(wire.encode(PathResource.new("a", PathSpec(path="a"))))
    message.metadata.created.seconds = -62_135_596_800

    back = wire.decode(message.SerializeToString(), sample_registry())

    assert resource_pb2.Resource.FromString(wire.encode(back)).metadata.created.seconds == -62_135_596_800


def _decodes_or_is_malformed(data: bytes) -> None:
    for registry in (sample_registry(), Registry()):
        try:
            resource = wire.decode(data, registry)
        except wire.Malformed as error:
            assert str(error)  # noqa: PT017
        else:
            again = wire.decode(wire.encode(resource), registry)
            assert again == resource
