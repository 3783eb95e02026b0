"""A clock that stands still until a test moves it.

    async with running(Shout()) as world:
        ...
        await world.clock.advance(30)

Whoever sleeps on it wakes when its time has come, one after the other, in the order of their times. Between two of them
everything else gets to do what it can, so that a sleeper finds the world as it would be then.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Final

import anyio

TURNS: Final = 3
"""Turns of the event loop that a woken sleeper gets where nobody says when the world is at rest."""


class ManualClock:
    """Seconds that pass when they are told to. `settle` is awaited first, and after each sleeper that was woken."""

    def __init__(self, settle: Callable[[], Awaitable[None]] | None = None) -> None:
        self.settle = settle if settle is not None else _some_turns
        self._now = 0.0
        self._numbers = count()
        self._sleepers: list[tuple[float, int, anyio.Event]] = []

    def now(self) -> float:
        """Return the seconds that were made to pass so far."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until so much time was made to pass."""
        if seconds <= 0:
            await anyio.lowlevel.checkpoint()
            return
        sleeper = (self._now + seconds, next(self._numbers), anyio.Event())
        heapq.heappush(self._sleepers, sleeper)
        try:
            await sleeper[2].wait()
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)

    @property
    def next_due(self) -> float | None:
        """Seconds until the next sleeper wakes, None if nobody sleeps."""
        return self._sleepers[0][0] - self._now if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Make time pass. Raises ValueError if it would go backwards."""
        if seconds < 0:
            raise ValueError(f"time does not go backwards, not even by {-seconds} s")
        await self.settle()  # those who are about to sleep must not oversleep
        until = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= until:
            self._now, _, wake = heapq.heappop(self._sleepers)
            wake.set()
            await self.settle()
        self._now = until
        await self.settle()


async def _some_turns() -> None:
    for _ in range(TURNS):
        await anyio.lowlevel.checkpoint()
