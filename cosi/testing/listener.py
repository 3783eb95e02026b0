"""A watch read one event at a time by a test: what does not come in time is a failure, not a hang.

That something does *not* happen can't be waited for. A test that says so makes one more change afterwards, and sees
that the next event is about that one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio

from cosi.resource.metadata import Kind, Pointer
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.event import Event

WAIT_SECONDS: Final = 5.0
"""How long a test waits for what must happen. Reached only by a failure, so it is generous to slow machines."""


class Listener:
    """The events of an open watch."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._pending: deque[Event] = deque()

    async def next(self) -> Event:
        """Return the next event. Raises AssertionError if none comes in time, or the watch has ended."""
        if not self._pending:
            self._pending.extend(await self._batch())
        if not self._pending:
            raise AssertionError("the watch has ended, an event was expected")
        return self._pending.popleft()

    async def take(self, count: int) -> Sequence[Event]:
        """Return the next `count` events."""
        return [await self.next() for _ in range(count)]

    async def ended(self) -> None:
        """Raise AssertionError unless the watch has ended and everything before that was read."""
        left = [*self._pending, *await self._batch()]
        if left:
            raise AssertionError(f"the watch should have ended, but told of {left}")

    async def _batch(self) -> Sequence[Event]:
        with anyio.move_on_after(WAIT_SECONDS):
            return await self._watch.batch()
        raise AssertionError(f"nothing came from the watch within {WAIT_SECONDS:g} s")


@asynccontextmanager
async def listen(core: CoreState, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[Listener]:
    """Watch one resource and listen."""
    async with core.watch(pointer, options) as watch:
        yield Listener(watch)


@asynccontextmanager
async def listen_kind(
    core: CoreState, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW
) -> AsyncIterator[Listener]:
    """Watch a kind and listen."""
    async with core.watch_kind(kind, options) as watch:
        yield Listener(watch)
