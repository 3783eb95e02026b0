"""What a watcher must be told, as the model sees it, and the comparison with what it is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.query import Query
from cosi.state.core import Watch
from cosi.state.event import Event, EventType
from cosi.testing.resources import IntResource


class Told(NamedTuple):
    """An event: about a resource, or about the watch itself or a missing resource, whose tombstone it carries then."""

    type: EventType
    resource: IntResource | None = None
    old: IntResource | None = None
    tombstone: Pointer | None = None
    bookmark: bytes = b""


class Watcher:
    """An open watch: where in the log it has come to, what it is told before that, and what it is about."""

    def __init__(self, watch: Watch, position: int, initial: Sequence[Told], about: Query | str) -> None:
        """Follow a watch of a kind (`about` is its query) or of one resource (its id)."""
        self.watch = watch
        self.position = position
        self.initial = list(initial)
        self._about = about

    def pending(self, log: Sequence[Told]) -> Sequence[Told]:
        """Return what is still to be told; where there is nothing, reading would wait."""
        shown = [self._shown(told) for told in log[self.position :]]
        return [*self.initial, *(told for told in shown if told is not None)]

    def take(self, count: int, log: Sequence[Told]) -> None:
        """Count so many events as read."""
        initial = min(count, len(self.initial))
        del self.initial[:initial]
        for _ in range(count - initial):
            while self._shown(log[self.position]) is None:
                self.position += 1
            self.position += 1

    def _shown(self, told: Told) -> Told | None:
        """Return what an event of the log looks like here: with a query, an update may be a beginning or an end."""
        assert told.resource is not None
        if isinstance(self._about, str):
            return told if told.resource.id == self._about else None
        now = self._about.matches(told.resource.metadata)
        before = self._about.matches(told.old.metadata) if told.old else now
        if now and before:
            return told
        if now or before:
            return told._replace(type=EventType.CREATED if now else EventType.DESTROYED, old=None)
        return None


def same(event: Event, told: Told) -> None:
    """Raise AssertionError unless the event tells exactly this."""
    assert event.type is told.type
    assert typed(event.resource) == told.resource if told.resource else tombstone(event) == told.tombstone
    assert typed(event.old) == told.old
    assert event.bookmark == told.bookmark or not told.bookmark


def typed(resource: object) -> IntResource | None:
    """Return a resource as its type, also where it came from a state that does not know the type."""
    return None if resource is None else IntResource.of(resource)  # type: ignore[arg-type]


def tombstone(event: Event) -> Pointer | None:
    """Return the name an event brings of something that does not exist."""
    if event.resource is None or event.resource.metadata.version is not None:
        return None
    return event.resource.pointer


def of_kind(kind: Kind) -> Pointer:
    """Return the tombstone by which an event about the watch itself names the kind."""
    return Pointer(*kind, "")
