"""A resource to protobuf bytes and back.

A resource is encoded once, however many readers and watchers it is sent to: the bytes are kept beside the value. One
of a type that is not known here is decoded to an opaque one, and encodes to the same spec bytes and YAML text it came
with. A typed one always carries YAML, because that is what people are shown.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from cosi._pb.v1alpha1 import resource_pb2
from cosi.resource.metadata import UNDEFINED_VERSION, Metadata, Phase, pairs
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource, OpaqueSpec, Resource, Tombstone

MAX_SPEC_BYTES: Final = 1_000_000
MAX_METADATA_BYTES: Final = 64 << 10
"""What a client may store. An update tells of two resources, each with its spec as protobuf and as YAML, and all of it
must fit the 4 MiB that gRPC clients accept unless told otherwise."""

MAX_NAME_CHARACTERS: Final = 1024
"""For a namespace, a type, an id, an owner each."""

MAX_FINALIZERS: Final = 1024
MAX_LABELS: Final = 1024
MAX_ANNOTATIONS: Final = 1024

SHOWN_CHARACTERS: Final = 40
"""How much of a wrong value an error shows."""

_NANOSECONDS: Final = 1_000_000_000
_MAX_VERSION: Final = (1 << 64) - 1
_MAX_VERSION_DIGITS: Final = 20
_EARLIEST_SECONDS: Final = -62_135_596_800
_LATEST_SECONDS: Final = 253_402_300_799
"""What protobuf allows in a Timestamp: the years 1 (Go's time that was never set) to 9999."""


class Malformed(ValueError):
    """A resource that came from outside can't be one; `field` names the part, `problem` says why."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


def encode(resource: AnyResource) -> bytes:
    """Return the resource as a serialized `cosi.resource.Resource`."""
    if resource.wire is None:
        # The one change ever made to a frozen resource: a cache that follows from the other fields.
        object.__setattr__(resource, "wire", _encode(resource))
    assert resource.wire is not None
    return resource.wire


def decode(data: bytes, registry: Registry) -> AnyResource:
    """Return the resource of serialized bytes. Raises Malformed naming the field at fault."""
    try:
        message = resource_pb2.Resource.FromString(data)
    except DecodeError as error:
        raise Malformed("resource", f"not a protobuf message: {error}") from None
    return from_message(message, registry)


def received(message: resource_pb2.Resource, registry: Registry) -> AnyResource:
    """Return the resource that a client wants stored. Raises Malformed naming the field that is wrong, or too large."""
    metadata = message.metadata
    for name in ("namespace", "type", "id", "owner"):
        check_name(f"metadata.{name}", getattr(metadata, name))
    _check_count("metadata.finalizers", len(metadata.finalizers), MAX_FINALIZERS)
    _check_count("metadata.labels", len(metadata.labels), MAX_LABELS)
    _check_count("metadata.annotations", len(metadata.annotations), MAX_ANNOTATIONS)
    _check_bytes("metadata", metadata.ByteSize(), MAX_METADATA_BYTES)
    _check_bytes("spec.proto_spec", len(message.spec.proto_spec), MAX_SPEC_BYTES)
    _check_bytes("spec.yaml_spec", len(message.spec.yaml_spec.encode()), MAX_SPEC_BYTES)
    return from_message(message, registry)


def check_name(field: str, name: str) -> None:
    """Raise Malformed if a namespace, a type, an id or an owner is too long to be one."""
    if len(name) > MAX_NAME_CHARACTERS:
        raise Malformed(field, f"longer than {MAX_NAME_CHARACTERS} characters")


def from_message(message: resource_pb2.Resource, registry: Registry, *, tombstones: bool = False) -> AnyResource:
    """Return the resource of a parsed message. Raises Malformed naming the field at fault.

    With `tombstones`, one without version and spec is a tombstone, as events carry them; else it is a new resource
    whose spec happens to be empty.
    """
    if not message.HasField("metadata"):
        raise Malformed("metadata", "is missing")
    if not message.HasField("spec"):
        raise Malformed("spec", "is missing")
    metadata = _metadata(message.metadata)
    proto, yaml = message.spec.proto_spec, message.spec.yaml_spec
    if tombstones and metadata.version is None and not proto and not yaml:
        return Tombstone(metadata, None)
    resource_class = registry.get(metadata.type)
    if resource_class is None:
        return Resource(metadata, OpaqueSpec(proto, yaml))
    try:
        return resource_class(metadata, resource_class.spec_type.from_proto(proto))
    except ValueError as error:
        raise Malformed("spec.proto_spec", f"not a spec of {metadata.type}: {error}") from None


def _encode(resource: AnyResource) -> bytes:
    metadata = resource.metadata
    message = resource_pb2.Resource(
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
        spec=_spec(resource.spec),
    )
    return message.SerializeToString(deterministic=True)


def _spec(spec: Any) -> resource_pb2.Spec:
    if spec is None:
        return resource_pb2.Spec()
    if isinstance(spec, OpaqueSpec):
        return resource_pb2.Spec(proto_spec=spec.proto, yaml_spec=spec.yaml)
    return resource_pb2.Spec(proto_spec=spec.to_proto(), yaml_spec=spec.to_yaml())


def _metadata(message: resource_pb2.Metadata) -> Metadata:
    if not message.type:
        raise Malformed("metadata.type", "is empty")
    try:
        phase = Phase(message.phase)
    except ValueError:
        raise Malformed("metadata.phase", f"unknown phase: {message.phase[:SHOWN_CHARACTERS]!r}") from None
    return Metadata(
        namespace=message.namespace,
        type=message.type,
        id=message.id,
        version=_version(message.version),
        owner=message.owner,
        phase=phase,
        finalizers=tuple(dict.fromkeys(message.finalizers)),
        labels=pairs(message.labels),
        annotations=pairs(message.annotations),
        created=_nanoseconds("metadata.created", message.created),
        updated=_nanoseconds("metadata.updated", message.updated),
    )


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise Malformed(field, f"{count} of them, at most {most} are allowed")


def _check_bytes(field: str, size: int, most: int) -> None:
    if size > most:
        raise Malformed(field, f"{size} bytes, at most {most} are allowed")


def _version(text: str) -> int | None:
    if text == UNDEFINED_VERSION:
        return None
    if len(text) > _MAX_VERSION_DIGITS or not (text.isascii() and text.isdecimal()) or int(text) > _MAX_VERSION:
        shown = text[:SHOWN_CHARACTERS]
        raise Malformed("metadata.version", f"not a version: {shown!r} (a number, or {UNDEFINED_VERSION!r})")
    return int(text)


def _nanoseconds(field: str, time: Timestamp) -> int:
    if not (_EARLIEST_SECONDS <= time.seconds <= _LATEST_SECONDS and 0 <= time.nanos < _NANOSECONDS):
        raise Malformed(field, f"not a time in the years 1 to 9999: {time.seconds} s and {time.nanos} ns since 1970")
    return time.seconds * _NANOSECONDS + time.nanos


def _timestamp(nanoseconds: int) -> Timestamp:
    seconds, nanos = divmod(nanoseconds, _NANOSECONDS)
    return Timestamp(seconds=seconds, nanos=nanos)
