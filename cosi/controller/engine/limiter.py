"""Limits how often each controller may write: a token bucket, so that a controller gone wild can't drown the others."""

from __future__ import annotations

from typing import NamedTuple

from cosi.clock import Clock


class Rate(NamedTuple):
    """So many writes a second in the long run, and up to `burst` at once."""

    per_second: float
    burst: int = 1


class RateLimiter:
    """The bucket of one controller. Writers are served in the order in which they ask."""

    __slots__ = ("_clock", "_per_second", "_seconds_of_burst", "_served_until")

    def __init__(self, rate: Rate, clock: Clock) -> None:
        if not rate.per_second > 0 or rate.burst < 1:
            raise ValueError(f"a change rate is positive and has a burst of at least 1, not {rate}")
        self._clock = clock
        self._per_second = rate.per_second
        self._seconds_of_burst = (rate.burst - 1) / rate.per_second
        self._served_until = clock.now() - rate.burst / rate.per_second

    async def wait(self) -> None:
        """Wait until there may be one more write. A caller that is cancelled has used its turn up."""
        now = self._clock.now()
        turn = max(self._served_until + 1 / self._per_second, now - self._seconds_of_burst)
        self._served_until = turn
        if turn > now:
            await self._clock.sleep(turn - now)
