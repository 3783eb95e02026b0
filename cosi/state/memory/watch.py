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
from cosi.state.stream import Pollable
from cosi.state.wakeups import Sleepers, Waiter, yield_to_others

Projection = Callable[[Event], Event | None]


class MemoryWatch(Pollable):
    """A cursor at a position, with the events to deliver before any from the log; `id` for one resource's events."""

    __slots__ = ("_collection", "_ended", "_id", "_position", "_projection", "_sleepers")

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
        self._sleepers: Sleepers | None = None
        self._ended = False

    async def receive(self) -> Sequence[Event]:
        """Wait until there is something past the cursor, then return all of it; empty once the watch has ended."""
        waited = False
        while not self._ended:
            if self._collection.log.end == self._position:
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
            if events := self._past_the_cursor():
                return events
        return ()

    def take(self) -> Sequence[Event] | None:
        """Return all that is pending: empty if there is nothing yet, None once the watch has ended."""
        if rest := self._rest():
            return rest
        if self._sleepers is not None:
            if self._sleepers.woken_with is None:
                return ()
            self._position, self._sleepers = self._sleepers.woken_with, None
        return None if self._ended else self._past_the_cursor()

    def when_ready(self, waiter: Waiter) -> None:
        """Have a waiter woken when there is something past the cursor."""
        if self._sleepers is not None and self._sleepers.woken_with is None:
            self._sleepers.add(waiter)
        elif self._next < len(self._pending) or self._ended or self._collection.log.end != self._position:
            waiter.set_result(None)
        elif self._id is None:
            self._collection.wakeups.add(waiter)
        else:
            self._sleepers = self._collection.wakeups_by_id.add(self._id, waiter)

    def forget(self, waiter: Waiter) -> None:
        """Take back what `when_ready` asked for."""
        self._collection.wakeups.discard(waiter)
        if self._id is not None and self._sleepers is not None:
            self._collection.wakeups_by_id.discard(self._id, waiter, self._sleepers)
            # Not woken means that nothing until now was about this resource.
            woken_with = self._sleepers.woken_with
            self._position = self._collection.log.end if woken_with is None else woken_with
            self._sleepers = None

    def _past_the_cursor(self) -> Sequence[Event]:
        log = self._collection.log
        if log.overrun(self._position):
            self._ended = True
            return (self._overrun(),)
        events = log.since(self._position)
        self._position = log.end
        if self._projection is not None:
            events = [shown for shown in map(self._projection, events) if shown is not None]
        return events

    def _overrun(self) -> Event:
        log = self._collection.log
        error = errors.Overrun(self._collection.kind, end=log.end, position=self._position, capacity=log.capacity)
        return Event(EventType.ERRORED, error=error)


class Opening:
    """A watch to be opened by entering this. Leaving it gives nothing back: a watch is a number that somebody reads.

    Written out, because the generator of a context manager would be half of what an idle watch weighs.
    """

    __slots__ = ("_open",)

    def __init__(self, open: Callable[[], MemoryWatch]) -> None:
        self._open: Callable[[], MemoryWatch] | None = open

    async def __aenter__(self) -> MemoryWatch:
        """Open the watch. Raises what opening raises."""
        assert self._open is not None, "a watch is opened once"
        opening, self._open = self._open, None
        return opening()

    async def __aexit__(self, *_: object) -> None:
        """Leave the watch."""


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
