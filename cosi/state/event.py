"""What a watcher is told: a resource was created, updated or destroyed, or something happened to the watch itself."""

from __future__ import annotations

import enum

import msgspec

from cosi.resource.resource import AnyResource


class EventType(enum.IntEnum):
    """What happened; the numbers are those of the wire (`EventType`)."""

    CREATED = 0
    UPDATED = 1
    DESTROYED = 2
    BOOTSTRAPPED = 3
    """All that existed when the watch began has been sent."""
    ERRORED = 4
    """The watch failed and ends; `error` says why."""
    NOOP = 5
    """Nothing happened; the event brings a bookmark."""


class Event(msgspec.Struct, frozen=True, eq=False):
    """One event. `old` is what the resource was before an update; a bookmark resumes the watch right after the event.

    A BOOTSTRAPPED or NOOP event carries a tombstone without id, an ERRORED one no resource.
    """

    type: EventType
    resource: AnyResource | None = None
    old: AnyResource | None = None
    error: Exception | None = None
    bookmark: bytes = b""
    wire: bytes | None = None
    """The event encoded for the wire, once somebody has asked for it; see `cosi.rpc.codec`."""
