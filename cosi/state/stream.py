"""A watch can be read in batches or one event at a time, in turns: what one way has not taken the other finds.

Iterating is not an async generator, because a reader that breaks out of its loop would leave that to the garbage
collector, and trio to warn of it.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from cosi.state.event import Event
from cosi.state.wakeups import Waiter


class EventStream(abc.ABC):
    """The base of a watch: a backend says how to wait for the next events, and which ones come before those."""

    __slots__ = ("__weakref__", "_next", "_pending")

    def __init__(self, initial: Sequence[Event] = ()) -> None:
        self._pending = initial
        self._next = 0

    @abc.abstractmethod
    async def receive(self) -> Sequence[Event]:
        """Wait until there is something, then return it; empty once the watch has ended."""

    async def batch(self) -> Sequence[Event]:
        """Return all that is pending; wait if there is nothing; empty once the watch has ended."""
        return self._rest() or await self.receive()

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Event:
        if self._next == len(self._pending):
            self._pending, self._next = await self.receive(), 0
            if not self._pending:
                raise StopAsyncIteration
        event = self._pending[self._next]
        self._next += 1
        return event

    def _rest(self) -> Sequence[Event]:
        """Return what was received and not yet read."""
        rest, self._pending = self._pending[self._next :], ()
        self._next = 0
        return rest


class Pollable(EventStream):
    """A watch that also says at once what there is, so that many can be served without a task for each."""

    __slots__ = ()

    @abc.abstractmethod
    def take(self) -> Sequence[Event] | None:
        """Return all that is pending: empty if there is nothing yet, None once the watch has ended."""

    @abc.abstractmethod
    def when_ready(self, waiter: Waiter) -> None:
        """Have a waiter woken, once, when it is worth taking again; it is woken at once if it is already."""

    @abc.abstractmethod
    def forget(self, waiter: Waiter) -> None:
        """Take back what `when_ready` asked for."""
