"""What the journal knows, as protobuf messages and back: how engines tell each other, and people, of their writes.

Only what an explanation needs of a resource's metadata is sent: labels, annotations and finalizers stay at home.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from cosi._pb.v1alpha1 import resource_pb2, runtime_pb2
from cosi.journal.records import MAX_CAUSES, Cause, Change, Reason, Reconcile, Write
from cosi.resource import wire
from cosi.resource.metadata import NO_PAIRS, Metadata, Pointer
from cosi.state.event import EventType

MAX_TEXT_CHARACTERS: Final = 1024
"""For the name of a controller and for a reason: both come from other processes."""

_NANOSECONDS: Final = 1_000_000_000


def to_messages(writes: Iterable[Write]) -> Sequence[runtime_pb2.Write]:
    """Return writes as messages."""
    return [_write(write) for write in writes]


def from_messages(messages: Iterable[runtime_pb2.Write]) -> Sequence[Write]:
    """Return writes from messages. Raises ValueError for one that makes no sense."""
    return [
        Write(_read(message.metadata), _read_reconcile(message.reconcile) if message.HasField("reconcile") else None)
        for message in messages
    ]


def _write(write: Write) -> runtime_pb2.Write:
    message = runtime_pb2.Write()
    _fill(message.metadata, write.metadata)
    reconcile = write.reconcile
    if reconcile is not None:
        told = message.reconcile
        told.controller, told.number, told.cause_count = reconcile.controller, reconcile.number, reconcile.cause_count
        told.started.seconds, told.started.nanos = divmod(reconcile.started, _NANOSECONDS)
        if reconcile.item is not None:
            told.item.namespace, told.item.type, told.item.id = reconcile.item
        for cause in reconcile.causes:
            if isinstance(cause, Change):
                change = told.causes.add().change
                change.event_type = cause.type
                _fill(change.metadata, cause.metadata)
            else:
                told.causes.add().reason = str(cause)
    return message


def _read_reconcile(message: runtime_pb2.Reconcile) -> Reconcile:
    item = message.item
    return Reconcile(
        _checked(message.controller),
        message.number,
        _nanoseconds(message.started),
        tuple(_read_cause(cause) for cause in message.causes[:MAX_CAUSES]),
        message.cause_count,
        Pointer(item.namespace, item.type, item.id) if message.HasField("item") else None,
    )


def _read_cause(message: runtime_pb2.Cause) -> Cause:
    if message.HasField("change"):
        return Change(EventType(message.change.event_type), _read(message.change.metadata))
    return Reason(message.reason)


def _fill(message: resource_pb2.Metadata, metadata: Metadata) -> None:
    wire.fill_metadata(message, metadata.replace(labels=NO_PAIRS, annotations=NO_PAIRS, finalizers=()))


def _read(message: resource_pb2.Metadata) -> Metadata:
    for name in (message.namespace, message.type, message.id, message.owner):
        _checked(name)
    return wire.read_metadata(message).replace(labels=NO_PAIRS, annotations=NO_PAIRS, finalizers=())


def _checked(text: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise ValueError(f"a name of {len(text)} characters; {MAX_TEXT_CHARACTERS} is the most")
    return text


def _nanoseconds(time: Timestamp) -> int:
    return time.seconds * _NANOSECONDS + time.nanos
