"""The queue of a queue controller: each item once, never given out twice at once, some not before their time.

        put ──▶ ready ──take──▶ held ──release──▶ gone
                  ▲              │  put meanwhile: again ──release──▶ ready
                  └── due ◀── later ◀──release(at)──┘

Items are given out in the order in which they became ready. An item that changes while it waits for its time becomes
ready at once: what it waited for may have happened. Pure: whoever owns the queue tells it the time. Faithful to the
queue of the Go runtime (pkg/controller/runtime/internal/qruntime/internal/queue), which keeps the newest value of an
item where this one keeps all causes of it.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable
from itertools import count
from typing import Final, Generic, TypeVar

from cosi.journal.records import Cause, Causes

ItemT = TypeVar("ItemT", bound=Hashable)

STALE_ENTRIES: Final = 64
"""How many outdated times are kept, beyond as many as there are valid ones, before they are thrown out."""


class WorkQueue(Generic[ItemT]):
    """Items that want to be worked on, with the causes of each."""

    __slots__ = ("_again", "_due", "_held", "_later", "_numbers", "_order", "_ready")

    def __init__(self) -> None:
        self._ready: dict[ItemT, Causes] = {}
        # The keys of `_ready` in their order: finding a dictionary's first takes longer the more were taken out before.
        self._order: deque[ItemT] = deque()
        self._held: set[ItemT] = set()
        self._again: dict[ItemT, Causes] = {}
        self._later: dict[ItemT, tuple[int, Cause]] = {}
        # By time; an entry whose number `_later` does not confirm is out of date.
        self._due: list[tuple[float, int, ItemT]] = []
        self._numbers = count()

    def __len__(self) -> int:
        """Return how many items wait, those included that must wait for their time or for themselves."""
        return len(self._ready) + len(self._later) + len(self._again)

    @property
    def ready(self) -> bool:
        """Whether there is an item to take."""
        return bool(self._ready)

    @property
    def held(self) -> int:
        """How many items are being worked on."""
        return len(self._held)

    def put(self, item: ItemT, cause: Cause) -> bool:
        """Ask for an item to be worked on; tell whether it was not asked for already."""
        places = self._again if item in self._held else self._ready
        causes = places.get(item)
        if causes is not None:
            causes.add(cause)
            return False
        waited = self._later.pop(item, None)
        causes = Causes()
        causes.add(cause)
        if places is self._again:
            self._again[item] = causes
        else:
            self._make_ready(item, causes)
        return waited is None

    def take(self) -> tuple[ItemT, Causes] | None:
        """Return the next item that is ready, None if there is none; nobody else gets it before it is released."""
        if not self._ready:
            return None
        item = self._order.popleft()
        self._held.add(item)
        return item, self._ready.pop(item)

    def release(self, item: ItemT) -> None:
        """Give an item back; if it was asked for meanwhile, it is ready again."""
        self._held.discard(item)
        again = self._again.pop(item, None)
        if again is not None:
            self._make_ready(item, again)

    def release_until(self, item: ItemT, due: float, cause: Cause) -> None:
        """Give an item back that shall be ready again at a time, or at once if it was asked for meanwhile."""
        again = self._again.get(item)
        if again is not None:
            again.add(cause)
            self.release(item)
            return
        self._held.discard(item)
        number = next(self._numbers)
        self._later[item] = (number, cause)
        heapq.heappush(self._due, (due, number, item))
        if len(self._due) > 2 * len(self._later) + STALE_ENTRIES:
            self._due = [entry for entry in self._due if self._waits(entry)]
            heapq.heapify(self._due)

    def ripen(self, now: float) -> float | None:
        """Make ready what is due; return when the next item will be, None if none waits for its time."""
        while self._due:
            due, _, item = entry = self._due[0]
            waits = self._waits(entry)
            if waits and due > now:
                return due
            heapq.heappop(self._due)
            if waits:
                causes = Causes()
                causes.add(self._later.pop(item)[1])
                self._make_ready(item, causes)
        return None

    def _make_ready(self, item: ItemT, causes: Causes) -> None:
        self._ready[item] = causes
        self._order.append(item)

    def _waits(self, entry: tuple[float, int, ItemT]) -> bool:
        _, number, item = entry
        waiting = self._later.get(item)
        return waiting is not None and waiting[0] == number
