"""The node's own log, kept while it runs: what its process says goes into a ring, and followers wait for more.

    any thread ─▶ append ─▶ ring ─▶ follow ─▶ a client
                     └─ once for all that is said until the loop gets to it ─▶ wake the followers

What is said is what goes to standard error as well, and the process says no secrets. Of an exception the log has its
name and its message; where it happened is in standard error only.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final

from cosi.state.wakeups import Wakeups
from talos.log_ring import Line, LogRing, Reading, text_of

CONTROLLER_KEY: Final = "controller"
CONTROLLER_COMPONENTS: Final = frozenset({"engine", "host"})
"""Whose lines are those of the controller runtime, besides the controllers' own."""

_NOT_FACTS: Final = frozenset({"event", "exc_info", "stack_info"})


class NodeLog:
    """A ring and those who follow it. Made on the running loop, which followers belong to; anybody may append."""

    def __init__(self) -> None:
        self._ring = LogRing()
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._said = Wakeups()
        self._waking = False
        self._closed = False

    def append(self, level: str, event: Mapping[str, Any]) -> None:
        """Keep an event; a tap of `cosi.logs`."""
        facts = {key: value for key, value in event.items() if key not in _NOT_FACTS}
        if error := _error(event.get("exc_info")):
            facts["exception"] = f"{type(error).__name__}: {error}"
        by_controller = CONTROLLER_KEY in facts or facts.get("component") in CONTROLLER_COMPONENTS
        line = Line(time.time_ns(), level, by_controller, text_of(str(event.get("event", "")), facts))
        with self._lock:
            self._ring.append(line)
            wake, self._waking = not (self._waking or self._closed), True
        if wake:
            self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End all followers once they have what there is: the node stops."""
        with self._lock:
            self._closed = True
        self._said.wake_all()

    @property
    def begin(self) -> int:
        """The position of the oldest line that is still there."""
        with self._lock:
            return self._ring.begin

    @property
    def end(self) -> int:
        """The position of what will be said next."""
        with self._lock:
            return self._ring.end

    def last(self, count: int, wanted: Callable[[Line], bool]) -> int:
        """Return the position from which on there are so many wanted lines."""
        with self._lock:
            return self._ring.last(count, wanted)

    async def read(self, position: int, *, follow: bool) -> AsyncGenerator[Reading, None]:
        """Yield what there is from a position on; if told to follow, go on with what is said until the node stops."""
        end = None if follow else self.end
        while end is None or position < end:
            with self._lock:
                reading = self._ring.read(position)
            if reading.lines:
                position = reading.position
                yield reading
            elif self._closed:
                return
            else:
                await self._said.wait()

    def _wake(self) -> None:
        with self._lock:
            self._waking = False
        self._said.wake_all()


def _error(exc_info: object) -> BaseException | None:
    """Return the exception that an event is about, in each of the forms in which loggers are told of it."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exception() if exc_info else None
