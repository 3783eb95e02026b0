"""How long a watch that broke is tried again, and how often. Pure: the caller tells the time.

The Go runtime's client counts its time from when the watch was opened, so one that lived long is given up at its first
break. Here it is counted from the break.
"""

from __future__ import annotations

from typing import Final

from cosi.backoff import MAX_SECONDS, Backoff

MAX_RESUME_SECONDS: Final = 15 * 60.0
"""After so long a broken watch is given up; that of the Go runtime's client."""

STABLE_SECONDS: Final = MAX_SECONDS
"""A resumed watch that holds so long is a success, even if there was nothing to tell."""


class Patience:
    """The waits of one watch: told what became of it, it says when to try next."""

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = backoff or Backoff()
        self._broken_since: float | None = None
        self._open_since: float | None = None

    def broke(self, now: float) -> float | None:
        """Return the seconds to wait before the next try, None if there have been enough."""
        if self._open_since is not None and now - self._open_since >= STABLE_SECONDS:
            self.worked()
        self._open_since = None
        if self._broken_since is None:
            self._broken_since = now
        delay = self._backoff.next()
        return delay if now + delay - self._broken_since <= MAX_RESUME_SECONDS else None

    def opened(self, now: float) -> None:
        """Note that the server took the watch again, which is no success yet."""
        self._open_since = now

    def worked(self) -> None:
        """Note that events came: the next break is a new one."""
        self._backoff.reset()
        self._broken_since = self._open_since = None
