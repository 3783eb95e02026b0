"""A watch can be read in batches or one event at a time, in turns: what one way has not taken the other finds.

Iterating is not an async generator, because a reader that breaks out of its loop would leave that to the garbage
collector, and trio to warn of it.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence

from cosi.state.event import Event


class EventStream(abc.ABC):
    """The base of a watch: a backend says how to wait for the next events, and which ones come before those."""

    def __init__(self, initial: Sequence[Event] = ()) -> None:
        self._pending = initial
        self._next = 0

    @abc.abstractmethod
    async def receive(self) -> Sequence[Event]:
        """Wait until there is something, then return it; empty once the watch has ended."""

    async def batch(self) -> Sequence[Event]:
        """Return all that is pending; wait if there is nothing; empty once the watch has ended."""
        if self._next == len(self._pending):
            return await self.receive()
        batch, self._pending = self._pending[self._next :], ()
        self._next = 0
        return batch

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
