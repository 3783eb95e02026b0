"""What must come of every operation on a state, computed on a dict: the rules of a state in as few lines as they take.

The model foresees whether an operation is refused, with which error, and what it changes. What only the state can
know, the time, it is told afterwards. Several checks that fail at once are foreseen in the order of the Go runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cosi.resource.metadata import Metadata, Phase
from cosi.state import errors
from cosi.state.event import EventType
from cosi.testing.model.told import Told
from cosi.testing.resources import IntResource

Change = Callable[[IntResource], IntResource]


class Outcome(NamedTuple):
    """What comes of an operation: these events in this order, and the error it raises, if any."""

    events: tuple[Told, ...] = ()
    refusal: type[errors.StateError] | None = None


class Model:
    """The resources by id, and the log of everything that happened to them."""

    def __init__(self) -> None:
        self.resources: dict[str, IntResource] = {}
        self.log: list[Told] = []

    def record(self, told: Told) -> None:
        """Take note of what happened, in the state's own words."""
        assert told.resource is not None
        self.log.append(told)
        if told.type is EventType.DESTROYED:
            del self.resources[told.resource.id]
        else:
            self.resources[told.resource.id] = told.resource

    def create(self, wanted: IntResource, owner: str) -> Outcome:
        """Foresee `create`: an owner may be set once, by who it is."""
        if wanted.metadata.owner not in ("", owner):
            return _refused(errors.OwnerConflict)
        if wanted.id in self.resources:
            return _refused(errors.AlreadyExists)
        return Outcome((Told(EventType.CREATED, _with(wanted, version=1, owner=owner)),))

    def update(self, wanted: IntResource, owner: str, expected_phase: Phase | None) -> Outcome:
        """Foresee `update`: everything but the name is replaced, the owner included."""
        current = self.resources.get(wanted.id)
        if current is None:
            return _refused(errors.NotFound)
        if current.metadata.owner != owner:
            return _refused(errors.OwnerConflict)
        if current.metadata.version != wanted.metadata.version:
            return _refused(errors.VersionConflict)
        if expected_phase not in (None, current.metadata.phase):
            return _refused(errors.PhaseConflict)
        return Outcome((_updated(current, wanted),))

    def destroy(self, id: str, owner: str) -> Outcome:
        """Foresee `destroy`."""
        current = self.resources.get(id)
        if current is None:
            return _refused(errors.NotFound)
        if current.metadata.owner != owner:
            return _refused(errors.OwnerConflict)
        if current.metadata.finalizers:
            return _refused(errors.PendingFinalizers)
        return Outcome((Told(EventType.DESTROYED, current),))

    def update_with_conflicts(self, id: str, change: Change, owner: str, expected_phase: Phase | None) -> Outcome:
        """Foresee `update_with_conflicts`: the phase is judged even of a change that is none, the owner is not."""
        current = self.resources.get(id)
        if current is None:
            return _refused(errors.NotFound)
        if expected_phase not in (None, current.metadata.phase):
            return _refused(errors.PhaseConflict)
        wanted = change(current)
        return Outcome() if wanted.equivalent(current) else self.update(wanted, owner, expected_phase)

    def modify(self, wanted: IntResource, change: Change | None, owner: str, expected_phase: Phase | None) -> Outcome:
        """Foresee `modify`."""
        if wanted.id not in self.resources:
            return self.create(change(wanted) if change else wanted, owner)
        apply = change or (lambda current: current.with_spec(wanted.spec))
        return self.update_with_conflicts(wanted.id, apply, owner, expected_phase)

    def add_finalizers(self, id: str, names: tuple[str, ...]) -> Outcome:
        """Foresee `add_finalizers`: anybody may."""
        return self._change_metadata(id, lambda metadata: metadata.with_finalizers(*names))

    def remove_finalizers(self, id: str, names: tuple[str, ...]) -> Outcome:
        """Foresee `remove_finalizers`: anybody may."""
        return self._change_metadata(id, lambda metadata: metadata.without_finalizers(*names))

    def teardown(self, id: str, owner: str) -> Outcome:
        """Foresee `teardown`: of one that is torn down already nobody is asked whose it is."""
        current = self.resources.get(id)
        if current is None:
            return _refused(errors.NotFound)
        return self.update_with_conflicts(id, lambda found: _with(found, phase=Phase.TEARING_DOWN), owner, None)

    def teardown_and_destroy(self, id: str, owner: str) -> Outcome:
        """Foresee `teardown_and_destroy` when all finalizers are removed at once as soon as the teardown is seen."""
        current = self.resources.get(id)
        events, refusal = self.teardown(id, owner)
        if current is None or refusal:
            return _refused(errors.NotFound if current is None else errors.OwnerConflict)
        last = events[-1].resource if events else current
        assert last is not None
        if last.metadata.finalizers:
            events = (*events, _updated(last, _with(last, finalizers=())))
            last = events[-1].resource
            assert last is not None
        if current.metadata.owner != owner:
            return Outcome(events, errors.OwnerConflict)
        return Outcome((*events, Told(EventType.DESTROYED, last)))

    def _change_metadata(self, id: str, change: Callable[[Metadata], Metadata]) -> Outcome:
        current = self.resources.get(id)
        if current is None:
            return _refused(errors.NotFound)
        wanted = current.with_metadata(change(current.metadata))
        return Outcome() if wanted.equivalent(current) else Outcome((_updated(current, wanted),))


def _refused(error: type[errors.StateError]) -> Outcome:
    return Outcome(refusal=error)


def _updated(current: IntResource, wanted: IntResource) -> Told:
    assert current.metadata.version is not None
    stored = _with(wanted, version=current.metadata.version + 1, created=current.metadata.created)
    return Told(EventType.UPDATED, stored, current)


def _with(resource: IntResource, **changes: object) -> IntResource:
    return resource.with_metadata(resource.metadata.replace(**changes))
