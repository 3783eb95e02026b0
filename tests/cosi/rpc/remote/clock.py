"""Time that passes when a test says so."""

from __future__ import annotations

import asyncio

import pytest


class Clock:
    """The running loop's, which can be put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._ahead = 0.0
        real_time = loop.time
        monkeypatch.setattr(loop, "time", lambda: real_time() + self._ahead)

    def put_forward(self, seconds: float) -> None:
        """Let time pass in which the loop does nothing."""
        self._ahead += seconds

    async def advance(self, seconds: float) -> None:
        """Let time pass, and what is due after it be done."""
        self.put_forward(seconds)
        for _ in range(3):
            await asyncio.sleep(0)
