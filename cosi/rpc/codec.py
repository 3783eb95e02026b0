"""The messages of the State service to bytes and back.

Everything that many clients are sent is encoded once, and the same bytes go to all: a resource keeps its response, an
event its entry in the response of a watch. Field 1 of GetResponse, ListResponse, CreateResponse, UpdateResponse and
Event is the Resource, so one encoded form serves all five.
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
from cosi.resource.resource import AnyResource, Resource
from cosi.rpc.http2.grpc_request import ENVELOPE
from cosi.rpc.seam import Frames, frame
from cosi.state import errors
from cosi.state.event import Event, EventType

MAX_FRAME_BYTES: Final = 1 << 20
"""Events are gathered into one response up to this size; Go's clients refuse messages over 4 MiB unless told."""

LISTED_BYTES: Final = 64 << 10
"""Responses of a list are gathered up to this size: it pays for the turn of whoever writes them, and is soon gone."""

MAX_LABEL_TERMS: Final = 256
"""How many terms all label queries of one request may have together, and how many queries there may be."""

MAX_LABEL_VALUES: Final = 1024
"""How many values all those terms may have together: each is compared with the label of every resource."""

_EVENT_TAG: Final = b"\x0a"  # field 1 of WatchResponse, length-delimited
_RESOURCE_TAG: Final = b"\x0a"  # field 1
_OLD_TAG: Final = b"\x1a"  # field 3
_ERROR_TAG: Final = b"\x22"  # field 4
_BOOKMARK_TAG: Final = b"\x2a"  # field 5
_EVENT_TYPES: Final = [bytes((0x10, type)) for type in EventType]  # field 2, varint
_PAST_TAG: Final = ENVELOPE.size + len(_RESOURCE_TAG)
_NOT_EXISTS: Final = resource_pb2.LabelTerm.NOT_EXISTS

_set_wire = vars(Resource)["wire"].__set__

MessageT = TypeVar("MessageT", bound=Message)


def parse(message_class: type[MessageT], data: bytes) -> MessageT:
    """Return the message of some bytes. Raises InvalidArgument."""
    try:
        return message_class.FromString(data)
    except DecodeError as error:
        raise errors.InvalidArgument(f"not a {message_class.DESCRIPTOR.full_name}: {error}") from None


def resource_response(resource: AnyResource) -> Frames:
    """Return the response that consists of one resource in field 1."""
    return resource.wire or _made(resource)


def list_responses(resources: Iterable[AnyResource]) -> Iterator[Frames]:
    """Return a response for each resource, as many at a time as a transport does well to write at once."""
    gathered: list[Frames] = []
    size = 0
    for resource in resources:
        response = resource.wire or _made(resource)
        if size and size + len(response) > LISTED_BYTES:
            yield b"".join(gathered)
            gathered, size = [], 0
        gathered.append(response)
        size += len(response)
    if gathered:
        yield b"".join(gathered)


def watch_responses(events: Sequence[Event], start: int = 0, *, aggregated: bool) -> tuple[Frames, int]:
    """Return what tells of the events from `start` on, as many as fit MAX_FRAME_BYTES, and where to go on.

    That is one response if the client asked for aggregation, else one for each event: clients from before there was
    such an option know a response as that of one event, and would take several for one.
    """
    entries: list[bytes] = []
    size = ENVELOPE.size
    for position in range(start, len(events)):
        event = events[position]
        entry = event.wire or event_entry(event)
        size += len(entry)
        if size > MAX_FRAME_BYTES and entries:
            break
        entries.append(entry)
    if len(entries) == 1:
        responses = frame(entries[0])
    else:
        responses = frame(b"".join(entries)) if aggregated else b"".join(map(frame, entries))
    return responses, start + len(entries)


def event_entry(event: Event) -> bytes:
    """Return the event as one entry of a WatchResponse."""
    if event.wire is None:
        # As with resources: the one change made to a frozen event is a cache that follows from its other fields.
        msgspec.structs.force_setattr(event, "wire", _event_entry(event))
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
    """Return the query of a request. Raises InvalidArgument."""
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
        raise errors.InvalidArgument(f"label_query: unknown operator: {term.op}") from None
    if operation not in (Operation.EXISTS, Operation.IN) and not term.value:
        raise errors.InvalidArgument(
            f"label_query: the term on {term.key[: wire.SHOWN_CHARACTERS]!r} has no value to compare with"
        )
    return LabelTerm(term.key, operation, tuple(term.value), term.invert)


def _made(resource: AnyResource) -> Frames:
    response = frame(_delimited(_RESOURCE_TAG, wire.encode(resource)))
    # The one change ever made to a frozen resource: a cache that follows from the other fields.
    _set_wire(resource, response)
    return response


def _event_entry(event: Event) -> bytes:
    parts = []
    if event.resource is not None:
        parts.append(resource_response(event.resource)[ENVELOPE.size :])
    if event.type:
        parts.append(_EVENT_TYPES[event.type])
    if event.old is not None:
        parts += (_OLD_TAG, resource_response(event.old)[_PAST_TAG:])
    if event.error is not None:
        parts.append(_delimited(_ERROR_TAG, str(event.error).encode()))
    if event.bookmark:
        parts.append(_delimited(_BOOKMARK_TAG, event.bookmark))
    return _delimited(_EVENT_TAG, b"".join(parts))


def _delimited(tag: bytes, payload: bytes) -> bytes:
    length = len(payload)
    if length < 0x80:
        return b"%b%c%b" % (tag, length, payload)
    varint = bytearray()
    while length > 0x7F:
        varint.append(length & 0x7F | 0x80)
        length >>= 7
    varint.append(length)
    return b"".join((tag, varint, payload))
