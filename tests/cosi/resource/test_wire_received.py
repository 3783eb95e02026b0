"""What a client wants stored keeps within every limit, or is refused by the name of the part that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cosi._pb.v1alpha1 import resource_pb2
from cosi.resource import wire
from cosi.resource.registry import Registry
from cosi.testing.resources import path, sample_registry

Fill = Callable[[resource_pb2.Resource, int], None]
"""Make one part of a resource this large, at the least expense of bytes."""

_UNKNOWN_FIELD = b"\xfa\x07"
"""The tag of field 127, which metadata does not have: bytes, of which the length follows."""


def _namespace(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.namespace = "x" * size


def _type(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.type = "x" * size


def _id(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.id = "é" * size


def _owner(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.owner = "x" * size


def _finalizers(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.finalizers.extend([""] * size)


def _labels(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.labels.update({f"{number}": "" for number in range(size)})


def _annotations(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.annotations.update({f"{number}": "" for number in range(size)})


def _metadata(message: resource_pb2.Resource, size: int) -> None:
    message.metadata.labels["large"] = "x" * (size // 2)
    message.metadata.labels["large"] += "x" * (size - message.metadata.ByteSize())


def _proto(message: resource_pb2.Resource, size: int) -> None:
    message.spec.proto_spec = bytes(size)


def _yaml(message: resource_pb2.Resource, size: int) -> None:
    message.spec.yaml_spec = "é" * (size // 2) + "x" * (size % 2)


_LIMITS = [
    pytest.param("metadata.namespace", _namespace, wire.MAX_NAME_CHARACTERS, id="namespace"),
    pytest.param("metadata.type", _type, wire.MAX_NAME_CHARACTERS, id="type"),
    pytest.param("metadata.id", _id, wire.MAX_NAME_CHARACTERS, id="id"),
    pytest.param("metadata.owner", _owner, wire.MAX_NAME_CHARACTERS, id="owner"),
    pytest.param("metadata.finalizers", _finalizers, wire.MAX_FINALIZERS, id="finalizers"),
    pytest.param("metadata.labels", _labels, wire.MAX_LABELS, id="labels"),
    pytest.param("metadata.annotations", _annotations, wire.MAX_ANNOTATIONS, id="annotations"),
    pytest.param("metadata", _metadata, wire.MAX_METADATA_BYTES, id="metadata"),
    pytest.param("spec.proto_spec", _proto, wire.MAX_SPEC_BYTES, id="proto"),
    pytest.param("spec.yaml_spec", _yaml, wire.MAX_SPEC_BYTES, id="yaml"),
]


@pytest.mark.parametrize(("field", "fill", "limit"), _LIMITS)
def test_a_part_at_its_limit_is_taken(field: str, fill: Fill, limit: int) -> None:
    message = _smallest()
    fill(message, limit)

    assert wire.received(message, Registry()) == wire.from_message(message, Registry())


@pytest.mark.parametrize(("field", "fill", "limit"), _LIMITS)
def test_a_part_over_its_limit_is_refused_by_name(field: str, fill: Fill, limit: int) -> None:
    message = _smallest()
    fill(message, limit + 1)

    with pytest.raises(wire.Malformed) as refused:
        wire.received(message, Registry())

    assert refused.value.field == field


@pytest.mark.parametrize(("field", "fill", "limit"), _LIMITS)
def test_what_a_server_tells_of_is_taken_whatever_its_size(field: str, fill: Fill, limit: int) -> None:
    message = _smallest()
    fill(message, limit + 1)

    assert wire.from_message(message, Registry()).metadata.version is None


def test_what_is_not_known_counts_as_well() -> None:
    message = wire.to_message(path("a"))
    unknown = _UNKNOWN_FIELD + b"\xff\xff\x07" + bytes((1 << 17) - 1)
    message.metadata.MergeFromString(unknown)

    with pytest.raises(wire.Malformed) as refused:
        wire.received(message, sample_registry())

    assert refused.value.field == "metadata"


def _smallest() -> resource_pb2.Resource:
    message = resource_pb2.Resource()
    message.metadata.type, message.metadata.version, message.metadata.phase = "T", "undefined", "running"
    message.spec.SetInParent()
    return message
