"""The messages of the State service to bytes and back.

Everything that many clients are sent is encoded once: a resource keeps its bytes, an event its frame, and the same
bytes go to all. Field 1 of GetResponse, ListResponse, CreateResponse, UpdateResponse and Event is the Resource, so one
encoded form serves all five.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec
from google.protobuf.message import DecodeError, Message

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource import wire
from cosi.resource.query import LabelQuery, LabelTerm, Operation, Query
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.event import Event, EventType

MAX_FRAME_BYTES: Final = 1 << 20
"""Events are gathered into one response up to this size; Go's clients refuse messages over 4 MiB unless told."""

MAX_LABEL_TERMS: Final = 256
"""How many terms all label queries of one request may have together, and how many queries there may be."""

MAX_LABEL_VALUES: Final = 1024
"""How many values all those terms may have together: each is compared with the label of every resource."""

_RESOURCE_TAG: Final = b"\x0a"  # field 1, length-delimited
_OLD_TAG: Final = b"\x1a"  # field 3
_ERROR_TAG: Final = b"\x22"  # field 4
_BOOKMARK_TAG: Final = b"\x2a"  # field 5
_EVENT_TYPE_TAG: Final = b"\x10"  # field 2, varint
_NOT_EXISTS: Final = resource_pb2.LabelTerm.NOT_EXISTS

MessageT = TypeVar("MessageT", bound=Message)


def parse(message_class: type[MessageT], data: bytes) -> MessageT:
    """Return the message of some bytes. Raises InvalidArgument."""
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise errors.InvalidArgument(f"not a {message_class.DESCRIPTOR.full_name}: {error}") from None


def resource_response(resource: AnyResource) -> bytes:
    """Return the response that consists of one resource in field 1."""
    return _delimited(_RESOURCE_TAG, wire.encode(resource))


def watch_responses(events: Iterable[Event]) -> Iterator[bytes]:
    """Return events as responses, as many in each as fit."""
    frames: list[bytes] = []
    size = 0
    for event in events:
        frame = event_frame(event)
        if frames and size + len(frame) > MAX_FRAME_BYTES:
            yield b"".join(frames)
            frames, size = [], 0
        frames.append(frame)
        size += len(frame)
    if frames:
        yield b"".join(frames)


def event_frame(event: Event) -> bytes:
    """Return the event as one entry of a WatchResponse."""
    if event.wire is None:
        # As with resources: the one change made to a frozen event is a cache that follows from its other fields.
        msgspec.structs.force_setattr(event, "wire", _event_frame(event))
    assert event.wire is not None
    return event.wire


def event_of(message: state_pb2.Event, registry: Registry) -> Event:
    """Return the event of a message. Raises Malformed; an event type unknown here is a NOOP."""
    try:
        type = EventType(message.event_type)
    except ValueError:
        type = EventType.NOOP
    return Event(
        type=type,
        resource=wire.from_message(message.resource, registry, tombstones=True)
        if message.HasField("resource")
        else None,
        old=wire.from_message(message.old, registry) if message.HasField("old") else None,
        error=errors.StateError(message.error) if message.HasField("error") else None,
        bookmark=message.bookmark,
    )


def query_of(labels: Sequence[resource_pb2.LabelQuery], id_query: resource_pb2.IDQuery) -> Query:
    """Return the query of a request. Raises InvalidArgument, Unsupported."""
    if labels:
        _check_size(labels)
    queries = tuple(LabelQuery(tuple(_term_of(term) for term in query.terms)) for query in labels)
    return Query(queries, id_query.regexp)


def label_queries(query: Query) -> list[resource_pb2.LabelQuery]:
    """Return a query's label part as messages."""
    return [
        resource_pb2.LabelQuery(
            terms=[
                resource_pb2.LabelTerm(
                    key=term.key,
                    op=resource_pb2.LabelTerm.Operation.Name(term.operation),
                    value=term.values,
                    invert=term.invert,
                )
                for term in part.terms
            ]
        )
        for part in query.labels
    ]


def id_query(query: Query) -> resource_pb2.IDQuery | None:
    """Return a query's id part as a message, None if it has none."""
    return resource_pb2.IDQuery(regexp=query.id_pattern) if query.id_pattern else None


def _check_size(labels: Sequence[resource_pb2.LabelQuery]) -> None:
    if len(labels) > MAX_LABEL_TERMS:
        raise errors.InvalidArgument(f"label_query: more than {MAX_LABEL_TERMS} queries")
    if sum(len(query.terms) for query in labels) > MAX_LABEL_TERMS:
        raise errors.InvalidArgument(f"label_query: more than {MAX_LABEL_TERMS} terms")
    if sum(len(term.value) for query in labels for term in query.terms) > MAX_LABEL_VALUES:
        raise errors.InvalidArgument(f"label_query: more than {MAX_LABEL_VALUES} values")


def _term_of(term: resource_pb2.LabelTerm) -> LabelTerm:
    if term.op == _NOT_EXISTS:
        return LabelTerm(term.key, Operation.EXISTS, (), invert=True)
    try:
        operation = Operation(term.op)
    except ValueError:
        raise errors.Unsupported(f"unsupported label query operator: {term.op}") from None
    if operation not in (Operation.EXISTS, Operation.IN) and not term.value:
        raise errors.InvalidArgument(
            f"label_query: the term on {term.key[: wire.SHOWN_CHARACTERS]!r} has no value to compare with"
        )
    return LabelTerm(term.key, operation, tuple(term.value), term.invert)


def _event_frame(event: Event) -> bytes:
    parts = []
    if event.resource is not None:
        parts.append(_delimited(_RESOURCE_TAG, wire.encode(event.resource)))
    if event.type:
        parts.append(_EVENT_TYPE_TAG + bytes((event.type,)))
    if event.old is not None:
        parts.append(_delimited(_OLD_TAG, wire.encode(event.old)))
    if event.error is not None:
        parts.append(_delimited(_ERROR_TAG, str(event.error).encode()))
    if event.bookmark:
        parts.append(_delimited(_BOOKMARK_TAG, event.bookmark))
    return _delimited(_RESOURCE_TAG, b"".join(parts))


def _delimited(tag: bytes, payload: bytes) -> bytes:
    length = len(payload)
    varint = bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    return b"".join((tag, varint, payload))
