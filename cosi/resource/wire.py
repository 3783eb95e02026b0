"""A resource to protobuf bytes and back.

A resource of a type that is not known here is decoded to an opaque one, and encodes to the same spec bytes and YAML
text it came with. A typed one always carries YAML, because that is what people are shown.

Every write passes here, so both ways do what protobuf does quickest: a message is filled field by field, which is
several times cheaper than its constructor, and what is seldom there is not looked at closely unless it is.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from cosi._pb.v1alpha1 import resource_pb2
from cosi.resource.metadata import NO_PAIRS, UNDEFINED_VERSION, Metadata, Phase
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

_NEVER_TOO_LARGE_BYTES: Final = min(MAX_NAME_CHARACTERS, MAX_FINALIZERS, MAX_LABELS, MAX_ANNOTATIONS)
"""What is this small as a whole breaks none of these limits: a character, a finalizer, a label take a byte or more."""

SHOWN_CHARACTERS: Final = 40
"""How much of a wrong value an error shows."""

_PHASES: Final = {phase.value: phase for phase in Phase}
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
    """Return the resource as a serialized `cosi.resource.Resource`; the same one always gives the same bytes."""
    message, metadata = to_message(resource), resource.metadata
    if metadata.labels or metadata.annotations:
        return message.SerializeToString(deterministic=True)
    return message.SerializeToString()  # only maps need to be told, and telling is a good part of the cost


def to_message(resource: AnyResource) -> resource_pb2.Resource:
    """Return the resource as a message."""
    message = resource_pb2.Resource()
    fill_metadata(message.metadata, resource.metadata)
    _fill_spec(message.spec, resource.spec)
    return message


def decode(data: bytes, registry: Registry) -> AnyResource:
    """Return the resource of serialized bytes. Raises Malformed naming the field at fault."""
    try:
        message = resource_pb2.Resource.FromString(data)
    except DecodeError as error:
        raise Malformed("resource", f"not a protobuf message: {error}") from None
    return from_message(message, registry)


def received(message: resource_pb2.Resource, registry: Registry) -> AnyResource:
    """Return the resource that a client wants stored. Raises Malformed naming the field that is wrong, or too large."""
    if message.ByteSize() > _NEVER_TOO_LARGE_BYTES:
        _check_sizes(message)
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
    described, spec = message.metadata, message.spec
    proto, yaml = spec.proto_spec, spec.yaml_spec
    if not (described.type and (proto or yaml)):  # else nothing can be missing, and to ask costs more than to look
        _check_presence(message)
    metadata = read_metadata(described)
    if tombstones and metadata.version is None and not proto and not yaml:
        return Tombstone(metadata, None)
    resource_class = registry.get(metadata.type)
    if resource_class is None:
        return Resource(metadata, OpaqueSpec(proto, yaml))
    try:
        return resource_class(metadata, resource_class.spec_type.from_proto(proto))
    except ValueError as error:
        raise Malformed("spec.proto_spec", f"not a spec of {metadata.type}: {error}") from None


def fill_metadata(message: resource_pb2.Metadata, metadata: Metadata) -> None:
    """Fill an empty message."""
    message.namespace = metadata.namespace
    message.type = metadata.type
    message.id = metadata.id
    message.version = metadata.version_text
    if metadata.owner:
        message.owner = metadata.owner
    message.phase = metadata.phase
    time = message.created
    time.seconds, time.nanos = divmod(metadata.created, _NANOSECONDS)
    time = message.updated
    time.seconds, time.nanos = divmod(metadata.updated, _NANOSECONDS)
    if metadata.finalizers:
        message.finalizers.extend(metadata.finalizers)
    if metadata.labels:
        _fill_map(message.labels, metadata.labels)
    if metadata.annotations:
        _fill_map(message.annotations, metadata.annotations)


def _fill_map(message: MutableMapping[str, str], pairs: Mapping[str, str]) -> None:
    for key, value in pairs.items():  # in half the time of the map's own `update`
        message[key] = value


def _fill_spec(message: resource_pb2.Spec, spec: Any) -> None:
    if spec is None:
        message.SetInParent()
    elif isinstance(spec, OpaqueSpec):
        message.proto_spec, message.yaml_spec = spec.proto, spec.yaml
    else:
        message.proto_spec, message.yaml_spec = spec.to_proto(), spec.to_yaml()


def read_metadata(message: resource_pb2.Metadata) -> Metadata:
    """Return what a message says. Raises Malformed."""
    phase = _PHASES.get(message.phase)
    if phase is None:
        raise Malformed("metadata.phase", f"unknown phase: {message.phase[:SHOWN_CHARACTERS]!r}")
    finalizers, labels, annotations = message.finalizers, message.labels, message.annotations
    return Metadata(
        namespace=message.namespace,
        type=message.type,
        id=message.id,
        version=_version(message.version),
        owner=message.owner,
        phase=phase,
        finalizers=tuple(dict.fromkeys(finalizers)) if finalizers else (),
        labels=_pairs(labels) if labels else NO_PAIRS,
        annotations=_pairs(annotations) if annotations else NO_PAIRS,
        created=_nanoseconds("metadata.created", message.created),
        updated=_nanoseconds("metadata.updated", message.updated),
    )


def _pairs(message: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({key: message[key] for key in message})  # faster than `dict` or `items` of a message's map


def _check_presence(message: resource_pb2.Resource) -> None:
    for part in ("metadata", "spec"):
        if not message.HasField(part):
            raise Malformed(part, "is missing")
    if not message.metadata.type:
        raise Malformed("metadata.type", "is empty")


def _check_sizes(message: resource_pb2.Resource) -> None:
    metadata, spec = message.metadata, message.spec
    metadata_bytes = metadata.ByteSize()
    if metadata_bytes > _NEVER_TOO_LARGE_BYTES:
        for name in ("namespace", "type", "id", "owner"):
            check_name(f"metadata.{name}", getattr(metadata, name))
        _check_count("metadata.finalizers", len(metadata.finalizers), MAX_FINALIZERS)
        _check_count("metadata.labels", len(metadata.labels), MAX_LABELS)
        _check_count("metadata.annotations", len(metadata.annotations), MAX_ANNOTATIONS)
        _check_bytes("metadata", metadata_bytes, MAX_METADATA_BYTES)
    _check_bytes("spec.proto_spec", len(spec.proto_spec), MAX_SPEC_BYTES)
    _check_bytes("spec.yaml_spec", len(spec.yaml_spec.encode()), MAX_SPEC_BYTES)


def _check_count(field: str, count: int, most: int) -> None:
    if count > most:
        raise Malformed(field, f"{count} of them, at most {most} are allowed")


def _check_bytes(field: str, size: int, most: int) -> None:
    if size > most:
        raise Malformed(field, f"{size} bytes, at most {most} are allowed")


def _version(text: str) -> int | None:
    if text == UNDEFINED_VERSION:
        return None
    if len(text) <= _MAX_VERSION_DIGITS and text.isascii() and text.isdecimal():
        version = int(text)
        if version <= _MAX_VERSION:
            return version
    shown = text[:SHOWN_CHARACTERS]
    raise Malformed("metadata.version", f"not a version: {shown!r} (a number, or {UNDEFINED_VERSION!r})")


def _nanoseconds(field: str, time: Timestamp) -> int:
    seconds, nanos = time.seconds, time.nanos
    if not (_EARLIEST_SECONDS <= seconds <= _LATEST_SECONDS and 0 <= nanos < _NANOSECONDS):
        raise Malformed(field, f"not a time in the years 1 to 9999: {seconds} s and {nanos} ns since 1970")
    return seconds * _NANOSECONDS + nanos
