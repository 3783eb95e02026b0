"""How long to wait before trying again: longer each time, never twice the same. Pure.

Unless told otherwise the numbers are those of the exponential backoff that the Go runtime restarts controllers and
resumes watches with.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

INITIAL_SECONDS: Final = 0.5
MULTIPLIER: Final = 1.5
MAX_SECONDS: Final = 60.0
JITTER: Final = 0.5
"""The wait is drawn evenly from so much less to so much more than the interval."""


class Backoff:
    """The intervals of one thing that keeps failing."""

    __slots__ = ("_draw", "_initial", "_interval", "_max")

    def __init__(
        self,
        draw: Callable[[float, float], float] = random.uniform,
        *,
        initial_seconds: float = INITIAL_SECONDS,
        max_seconds: float = MAX_SECONDS,
    ) -> None:
        self._draw = draw
        self._initial = self._interval = initial_seconds
        self._max = max_seconds

    def next(self) -> float:
        """Return the seconds to wait now."""
        interval = self._interval
        self._interval = min(interval * MULTIPLIER, self._max)
        return self._draw(interval * (1 - JITTER), interval * (1 + JITTER))

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._interval = self._initial
