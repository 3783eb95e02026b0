"""Notices that a server is gone though its connection stands: silence, then a ping, then more silence.

Only a server that somebody waits for is asked, as in gRPC.
"""

from __future__ import annotations

from typing import Final, Protocol

from cosi.rpc.remote.loop import Loop

KEEPALIVE_SECONDS: Final = 310.0
"""How long a silent connection is taken to be alive. Go's servers hang up on who asks more often than every 5 min."""

PING_SECONDS: Final = 20.0
"""How long a server that is asked whether it is there may take to say anything."""


class Watched(Protocol):
    """A connection that is looked after."""

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for the server."""

    def ping(self) -> None:
        """Have the server say something."""

    def give_up(self, reason: str) -> None:
        """Break off, because the server is not there."""


class Keepalive:
    """Looks after one connection, from now until it is stopped."""

    def __init__(self, watched: Watched, loop: Loop) -> None:
        self._watched = watched
        self._loop = loop
        self._last_heard = loop.time()
        self._timer = loop.call_later(KEEPALIVE_SECONDS, self._look)

    def heard(self) -> None:
        """Note that the server has said something, whatever it was."""
        self._last_heard = self._loop.time()

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        silent = self._loop.time() - self._last_heard
        if silent < KEEPALIVE_SECONDS:
            self._timer = self._loop.call_later(KEEPALIVE_SECONDS - silent, self._look)
        elif not self._watched.awaited:
            self._timer = self._loop.call_later(KEEPALIVE_SECONDS, self._look)
        else:
            self._watched.ping()
            self._timer = self._loop.call_later(PING_SECONDS, self._expect_answer, self._last_heard)

    def _expect_answer(self, last_heard: float) -> None:
        if self._last_heard > last_heard:
            self._look()
        else:
            self._watched.give_up(f"has not answered a ping for {PING_SECONDS:g} s")
