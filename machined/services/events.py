"""machine.MachineService/Events: what happens on the node as it happens, and before that what happened lately.

The first message is empty and says that the stream stands. Where to begin (`tail_events`, `tail_id`, `tail_seconds`),
which of them go together, and the errors are Talos's (internal/app/machined/internal/server/v1alpha1).
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.any_pb2 import Any

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from machined.events import Events
from machined.services.machine import NAME
from talos import xid
from talos._pb.machine import machine_pb2
from talos.event_log import Event, EventLog


class EventsService:
    """The method on bytes."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self.service = Service(NAME, server_streaming={"Events": self._stream})

    async def _stream(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer with Events, those of one actor if asked."""
        wanted = parse(machine_pb2.EventsRequest, request)
        if self._events.closed:
            raise Refusal(Code.UNAVAILABLE, "the node is about to end")  # its past is not what comes after that
        # The position is taken before the first message is: what happens once a client has it is never missed.
        position = start(self._events.log, wanted)
        yield _framed(Event(self._events.new_id(), wanted.with_actor_id, "", b""))
        async with aclosing(self._events.follow(position)) as batches:
            async for batch in batches:
                chosen = [event for event in batch if wanted.with_actor_id in ("", event.actor)]
                if chosen:
                    yield b"".join(map(_framed, chosen))


def start(log: EventLog, request: machine_pb2.EventsRequest) -> int:
    """Return the position that a client wants to start from: what happens next unless it says otherwise.

    Raises Refusal.
    """
    after = _xid(request.tail_id) if request.tail_id else None
    if after is not None and request.tail_events:
        raise _excluded("WithTailID", "WithTailEvents or WithTailDuration")
    if request.tail_seconds and (request.tail_events or after is not None):
        raise _excluded("WithTailDuration", "WithTailEvents or WithTailID")
    if request.tail_events:
        return log.last(request.tail_events)
    if after is not None:
        return log.after(after)
    if request.tail_seconds:
        return log.since(time.time() - request.tail_seconds)
    return log.end


def _xid(text: str) -> bytes:
    try:
        return xid.parse(text)
    except ValueError as error:
        raise Refusal(Code.UNKNOWN, f"error parsing tail_id: {error}") from None


def _excluded(option: str, others: str) -> Refusal:
    return Refusal(Code.UNKNOWN, f"{option} can't be specified at the same time with {others}")


def _framed(event: Event) -> Frames:
    message = machine_pb2.Event(
        data=Any(type_url=event.type_url, value=event.value), id=xid.text_of(event.id), actor_id=event.actor
    )
    return frame(message.SerializeToString())
