"""The last few thousand writes of controllers, each with the reconcile that made it.

    Greeting hello@1 ──woke──▶ reconcile 7 of example.Shout ──wrote──▶ Shouted hello@1

Each version of a resource was written once, so a reconcile is found by the version it wrote, and each of its causes is
a version again: following them leads back to whoever wrote what no controller did. A write costs a dictionary entry;
the oldest are forgotten. Pure.
"""

from __future__ import annotations

from typing import Final

from cosi.journal.records import Reconcile
from cosi.resource.metadata import Metadata

DEFAULT_CAPACITY: Final = 16_384
"""How many writes are remembered; some 600 bytes each."""


class Journal:
    """Reconciles by what they wrote."""

    __slots__ = ("_capacity", "_entries")

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._entries: dict[tuple[str, str, str, int | None], Reconcile] = {}

    def record(self, written: Metadata, reconcile: Reconcile) -> None:
        """Remember who wrote a version of a resource."""
        entries = self._entries
        entries[written.namespace, written.type, written.id, written.version] = reconcile
        if len(entries) > self._capacity:
            del entries[next(iter(entries))]

    def wrote(self, metadata: Metadata) -> Reconcile | None:
        """Return the reconcile that wrote this version, None if it is not known (any more)."""
        return self._entries.get((metadata.namespace, metadata.type, metadata.id, metadata.version))
