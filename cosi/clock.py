"""What tells controllers and their engine the time, so that tests can do so instead.

Every wait of the engine that is meant in seconds (backoff, requeues, rate limits) goes through one of these;
`cosi.testing.clock` has one that stands still until it is moved.
"""

from __future__ import annotations

import time
from typing import Final, Protocol

import anyio


class Clock(Protocol):
    """Seconds since some moment, which only go up, and a way to let them pass."""

    def now(self) -> float:
        """Return the seconds since the clock's own beginning."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so long."""
        ...


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Return the seconds since some moment in the machine's past."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for so long."""
        await anyio.sleep(seconds)


SYSTEM: Final[Clock] = SystemClock()
