"""What the journal holds: a reconcile, and what caused it."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

import msgspec

from cosi.resource.metadata import Metadata, Pointer
from cosi.state.event import EventType

MAX_CAUSES: Final = 8
"""How many causes of one reconcile are kept, the first ones; of the others only the number."""


class Change(NamedTuple):
    """A resource was created, updated or destroyed; `metadata` is what it was then (before, if it was destroyed)."""

    type: EventType
    metadata: Metadata


class Reason(enum.StrEnum):
    """Why a controller reconciled although no resource had changed."""

    STARTED = "it was started"
    RESTARTED = "it had failed and was restarted"
    RETRIED = "it had failed on this item and tried again"
    REQUEUED = "it had asked to look at this item again"
    ASKED = "something outside the state woke it"
    REWIRED = "it changed its own inputs"
    RESYNCED = "a watch had been interrupted"


Cause = Change | Reason


class Causes:
    """The causes of a reconcile that has not begun yet, as they come in: the first few, and how many there were."""

    __slots__ = ("count", "first")

    def __init__(self) -> None:
        self.first: list[Cause] = []
        self.count = 0

    def add(self, cause: Cause) -> None:
        """Add one more."""
        self.count += 1
        if self.count <= MAX_CAUSES:
            self.first.append(cause)


class Reconcile(msgspec.Struct, frozen=True, eq=False):
    """One time that a controller was woken.

    `number` counts the controller's reconciles from 1, `item` is what a queue controller was woken for, `started` are
    nanoseconds since the Unix epoch, `cause_count` counts all causes, those beyond the first few included.
    """

    controller: str
    number: int
    started: int
    causes: tuple[Cause, ...]
    cause_count: int
    item: Pointer | None = None


class Write(NamedTuple):
    """A version of a resource and the reconcile that wrote it, None if no controller did or none that is known."""

    metadata: Metadata
    reconcile: Reconcile | None
