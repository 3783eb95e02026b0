"""The event log of one collection: a bounded ring that any number of cursors read without being known to it.

     position   first kept                          end
                    │                                │
         … lost │ e e e e e e e e e e e e e e e e e │ next append
                    └── gap ──┘└─ where a watch may start from ─┘

Publishing costs one append however many watchers there are, and a change becomes an event when somebody reads it: most
are read by nobody, and one event serves all who do read. A cursor that falls more than `capacity` events behind is
overrun: it learns so when it reads next, and never holds up a writer. The gap keeps a new watch from starting so far
back that the next few events would overrun it at once. Pure and synchronous; faithful in what is observable to
`ResourceCollection` of the Go runtime (pkg/state/impl/inmem/collection.go).
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from typing import Final

from cosi.resource.resource import AnyResource
from cosi.state.errors import InvalidBookmark
from cosi.state.event import Event, EventType

SLACK: Final = 2
"""Changes are dropped when so many times the capacity is held, so that dropping costs nothing per event."""

Change = tuple[AnyResource | None, AnyResource | None]
"""A resource before and after: None before it is created and after it is destroyed."""

_COOKIE_BYTES: Final = 8
_BOOKMARK: Final = struct.Struct(f">{_COOKIE_BYTES}sq")
_pack = _BOOKMARK.pack


class EventLog:
    """Events by position, counted from 0 at the collection's beginning; the last `capacity` of them can be read."""

    __slots__ = ("_drop_at", "_events", "_first", "_unread", "capacity", "cookie", "end", "gap")

    def __init__(self, capacity: int, gap: int, cookie: bytes) -> None:
        if not 0 <= gap < capacity:
            raise ValueError(f"the gap of an event log must be less than its capacity, not {gap} of {capacity}")
        self.capacity = capacity
        self.gap = gap
        self.cookie = cookie
        self.end = 0
        self._first = 0
        # Together they hold everything from `_first` on.
        self._events: list[Event] = []
        self._unread: list[Change] = []
        self._drop_at = SLACK * capacity + 1

    def append(self, before: AnyResource | None, after: AnyResource | None) -> None:
        """Publish that a resource was created, updated or destroyed; see `Change`."""
        self._unread.append((before, after))
        self.end += 1
        if self.end == self._drop_at:
            self._drop_oldest()

    def since(self, position: int) -> Sequence[Event]:
        """Return all events from a position on; it must not be overrun."""
        if self._unread:
            self._make_events()
        return self._events[position - self._first :]

    def overrun(self, position: int) -> bool:
        """Tell whether events from a position on have been lost."""
        return self.end - position > self.capacity

    @property
    def earliest(self) -> int:
        """The position farthest back that a new watch may start from."""
        return max(self.end - self.capacity + self.gap, 0)

    def bookmark(self, position: int) -> bytes:
        """Return the bookmark of the event at a position; -1 is the one before the first."""
        return _pack(self.cookie, position)

    def after(self, bookmark: bytes) -> int:
        """Return the position right after a bookmark's event. Raises InvalidBookmark if it is not to be had."""
        if len(bookmark) != _BOOKMARK.size:
            raise InvalidBookmark
        position: int
        cookie, position = _BOOKMARK.unpack(bookmark)
        if cookie != self.cookie:
            raise InvalidBookmark
        if not max(self.end - self.capacity + self.gap, -1) <= position < self.end:
            raise InvalidBookmark
        return position + 1

    def _make_events(self) -> None:
        first_unread = self.end - len(self._unread)
        for position, (before, after) in enumerate(self._unread, first_unread):
            self._events.append(_event(before, after, _pack(self.cookie, position)))
        self._unread.clear()

    def _drop_oldest(self) -> None:
        excess = len(self._events) + len(self._unread) - self.capacity
        del self._events[:excess]
        del self._unread[: -self.capacity]
        self._first = self.end - self.capacity
        self._drop_at = self._first + SLACK * self.capacity + 1


def new_cookie() -> bytes:
    """Return the random part of the bookmarks of one state: another state's, or another run's, are told apart."""
    return secrets.token_bytes(_COOKIE_BYTES)


def _event(before: AnyResource | None, after: AnyResource | None, bookmark: bytes) -> Event:
    if after is None:
        return Event(EventType.DESTROYED, before, bookmark=bookmark)
    if before is None:
        return Event(EventType.CREATED, after, bookmark=bookmark)
    return Event(EventType.UPDATED, after, before, bookmark=bookmark)
