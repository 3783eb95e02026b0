"""What a watcher is told, as a plain list of events predicts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cosi.resource.query import ALL, Query
from cosi.state.core import Watch
from cosi.state.event import Event, EventType
from cosi.testing.resources import IntResource


class Told(NamedTuple):
    """What a watcher is told, as the model sees it."""

    type: EventType
    resource: IntResource | None = None
    old: IntResource | None = None


class Watcher:
    """An open watch, where in the list it is, and what it is told before that."""

    def __init__(self, watch: Watch, position: int, initial: Sequence[Told], query: Query = ALL, id: str = "") -> None:
        self.watch = watch
        self.position = position
        self.initial = initial
        self.query = query
        self.id = id

    def expected(self, log: Sequence[Told], history: int) -> Sequence[Told]:
        """Return the next batch; nothing if reading would wait."""
        if self.initial:
            return self.initial
        if len(log) - self.position > history:
            return [Told(EventType.ERRORED)]
        shown = [self._project(told) for told in log[self.position :]]
        return [told for told in shown if told is not None]

    def _project(self, told: Told) -> Told | None:
        assert told.resource is not None
        if self.id:
            return told if told.resource.id == self.id else None
        now = self.query.matches(told.resource.metadata)
        before = self.query.matches(told.old.metadata) if told.old else now
        if now and before:
            return told
        if now or before:
            return Told(EventType.CREATED if now else EventType.DESTROYED, told.resource)
        return None


def same(batch: Sequence[Event], expected: Sequence[Told]) -> None:
    assert [event.type for event in batch] == [told.type for told in expected]
    for event, told in zip(batch, expected, strict=True):
        if told.resource is not None:
            assert event.resource == told.resource
            assert event.old == told.old
