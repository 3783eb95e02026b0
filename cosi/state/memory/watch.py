"""A watch of an in-memory collection: a cursor into its event log.

No task and no queue belongs to a watch. It takes everything that is pending as one batch, and sleeps when there is
nothing. What an update means to a watcher depends on its query, so events are projected as they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cosi.resource.query import Query
from cosi.state import errors
from cosi.state.event import Event, EventType
from cosi.state.memory.collection import Collection
from cosi.state.stream import EventStream
from cosi.state.wakeups import yield_to_others

Projection = Callable[[Event], Event | None]


class MemoryWatch(EventStream):
    """A cursor at a position, with the events to deliver before any from the log; `id` for one resource's events."""

    def __init__(
        self,
        collection: Collection,
        position: int,
        initial: Sequence[Event],
        projection: Projection | None,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(initial)
        self._collection = collection
        self._position = position
        self._projection = projection
        self._id = id
        self._ended = False

    async def receive(self) -> Sequence[Event]:
        """Wait until there is something past the cursor, then return all of it; empty once the watch has ended."""
        waited = False
        while not self._ended:
            log = self._collection.log
            if log.end == self._position:
                if self._id is None:
                    await self._collection.wakeups.wait()
                else:
                    # What was published meanwhile was about others: it can't have been missed, however much it was.
                    self._position = await self._collection.wakeups_by_id.wait(self._id)
                waited = True
                continue
            if not waited:
                # Events that are always there already must not let a reader keep the loop for itself.
                await yield_to_others()
                waited = True
                continue
            if log.overrun(self._position):
                self._ended = True
                return (self._overrun(),)
            events = log.since(self._position)
            self._position = log.end
            if self._projection is not None:
                events = [shown for shown in map(self._projection, events) if shown is not None]
            if events:
                return events
        return ()

    def _overrun(self) -> Event:
        log = self._collection.log
        error = errors.Overrun(self._collection.kind, end=log.end, position=self._position, capacity=log.capacity)
        return Event(EventType.ERRORED, error=error)


def only(id: str) -> Projection:
    """Return the projection of a watch of one resource."""

    def project(event: Event) -> Event | None:
        return event if event.resource is not None and event.resource.metadata.id == id else None

    return project


def matching(query: Query) -> Projection | None:
    """Return the projection of a watch with a query: an update into it is a creation, one out of it a destruction."""
    if query.everything:
        return None

    def project(event: Event) -> Event | None:
        assert event.resource is not None
        matches = query.matches(event.resource.metadata)
        if event.old is None:
            return event if matches else None
        matched = query.matches(event.old.metadata)
        if matches and matched:
            return event
        if matches:
            return msgspec.structs.replace(event, type=EventType.CREATED, old=None, wire=None)
        if matched:
            return msgspec.structs.replace(event, type=EventType.DESTROYED, old=None, wire=None)
        return None

    return project
