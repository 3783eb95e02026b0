"""The last few thousand writes of controllers, each with the reconcile that made it.

    Greeting hello@1 ──woke──▶ reconcile 7 of example.Shout ──wrote──▶ Shouted hello@1

Each version of a resource was written once, so a reconcile is found by the version it wrote, and each of its causes is
a version again: following them leads back to whoever wrote what no controller did. A write costs a dictionary entry;
the oldest are forgotten. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from cosi.journal.records import Change, Reconcile, Write
from cosi.resource.metadata import Metadata

DEFAULT_CAPACITY: Final = 16_384
"""How many writes are remembered; some 600 bytes each."""


MAX_EXPLAINED: Final = 256
"""How many writes an explanation goes back over."""

Version = tuple[str, str, str, int, int | None]
"""Namespace, type, id, time of creation and version of a resource: names are used again, and begin at version 1."""


class Journal:
    """Reconciles by what they wrote."""

    __slots__ = ("_capacity", "_entries", "_next", "_ring")

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._entries: dict[Version, Reconcile] = {}
        # The versions in the order in which they were written; the next write takes the place of the oldest.
        self._ring: list[Version] = []
        self._next = 0

    def record(self, written: Metadata, reconcile: Reconcile) -> None:
        """Remember who wrote a version of a resource."""
        version = _version(written)
        self._entries[version] = reconcile
        if len(self._ring) < self._capacity:
            self._ring.append(version)
            return
        self._entries.pop(self._ring[self._next], None)
        self._ring[self._next] = version
        self._next = (self._next + 1) % self._capacity

    def explain(self, metadata: Metadata) -> Sequence[Write]:
        """Return the write of this version and all writes that led to it, as far as they are known, nearest first."""
        explained: dict[Version, Write] = {}
        waiting = deque([metadata])
        while waiting and len(explained) < MAX_EXPLAINED:
            next_one = waiting.popleft()
            version = _version(next_one)
            if version in explained:
                continue
            reconcile = self._entries.get(version)
            explained[version] = Write(next_one, reconcile)
            if reconcile is not None:
                waiting.extend(cause.metadata for cause in reconcile.causes if isinstance(cause, Change))
        return list(explained.values())

    def wrote(self, metadata: Metadata) -> Reconcile | None:
        """Return the reconcile that wrote this version, None if it is not known (any more)."""
        return self._entries.get(_version(metadata))


def _version(metadata: Metadata) -> Version:
    return (metadata.namespace, metadata.type, metadata.id, metadata.created, metadata.version)
