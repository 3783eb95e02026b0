"""A node's recent events: a bounded ring that any number of readers follow, each at its own position.

        earliest                                    end
           │                                         │
    … lost │ e e e e e e e e e e e e e e e e e e e e │ next
           └─ where a reader may start from ─┘

Publishing never waits for a reader. One that falls behind by the whole capacity is overrun, and is told so when it
reads next. Nobody starts within the gap at the far end, as the next few events would overrun it. Pure; faithful to
Talos's Events (internal/app/machined/pkg/runtime/v1alpha1/v1alpha1_events.go).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final, NamedTuple

from talos import xid

CAPACITY: Final = 1000
GAP: Final = 10
"""Both as in Talos."""


class Event(NamedTuple):
    """What happened: an id that sorts by time, on whose behalf (empty where nobody asked), and a message of a type."""

    id: bytes
    actor: str
    type_url: str
    value: bytes


class Overrun(Exception):
    """Events that a reader had yet to read are lost."""


class EventLog:
    """Events by position, counted from 0 at the node's start; the last `capacity` are kept."""

    def __init__(self, capacity: int = CAPACITY, gap: int = GAP) -> None:
        assert 0 <= gap < capacity
        self.capacity = capacity
        self.gap = gap
        self.end = 0
        self._events: deque[Event] = deque(maxlen=capacity)

    def append(self, event: Event) -> None:
        """Add an event whose id is greater than those before."""
        self._events.append(event)
        self.end += 1

    def read(self, position: int) -> Sequence[Event]:
        """Return all events from a position on. Raises Overrun."""
        if self.end - position >= self.capacity:
            raise Overrun
        return tuple(islice(self._events, position - self._first, None))

    @property
    def earliest(self) -> int:
        """The position farthest back that a reader may start from."""
        return max(self.end - (self.capacity - self.gap), 0)

    def last(self, count: int) -> int:
        """Return the position of so many past events, or of as many as there are; of all if the count is negative."""
        return self.earliest if count < 0 else max(self.end - count, self.earliest)

    def after(self, id: bytes) -> int:
        """Return the position of the first event whose id is greater."""
        return self._position(bisect_right(self._events, id, key=lambda event: event.id))

    def since(self, seconds: float) -> int:
        """Return the position of the first event of later than that, in seconds since 1970."""
        return self._position(bisect_right(self._events, seconds, key=lambda event: xid.seconds_of(event.id)))

    @property
    def _first(self) -> int:
        return self.end - len(self._events)

    def _position(self, index: int) -> int:
        return max(self._first + index, self.earliest)
