"""Time that passes when a test says so."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import anyio.lowlevel
import pytest
import trio

TURNS = 4
"""Of the loop, until what is due has been done."""


class Movable(Protocol):
    """What tells a loop the time."""

    ahead: float


class TrioClock(trio.abc.Clock):
    """The machine's, which can be put forward; to be given to trio when it starts."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return time.perf_counter() + self.ahead

    def deadline_to_sleep_time(self, deadline: float) -> float:
        return deadline - self.current_time()


class AsyncioClock:
    """The running loop's, which can be put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        loop = asyncio.get_running_loop()
        real_time = loop.time
        monkeypatch.setattr(loop, "time", lambda: real_time() + self.ahead)


class Clock:
    """The running loop's, whichever that is."""

    def __init__(self, movable: Movable) -> None:
        self._movable = movable

    def put_forward(self, seconds: float) -> None:
        """Let time pass in which the loop does nothing."""
        self._movable.ahead += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass, and what is due after it be done."""
        self.put_forward(seconds)
        for _ in range(TURNS):
            await anyio.lowlevel.checkpoint()
