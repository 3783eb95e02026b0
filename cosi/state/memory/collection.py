"""All resources of one kind, and the log of what happened to them. Pure and synchronous.

Every operation either happens as a whole, log entry included, or raises and changes nothing. Faithful to
`ResourceCollection` of the Go runtime (pkg/state/impl/inmem/collection.go), the order of its checks included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cosi.resource.metadata import Kind, Metadata, Phase, Pointer
from cosi.resource.query import Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.event import EventType
from cosi.state.memory.log import EventLog
from cosi.state.wakeups import Wakeups


class Collection:
    """Resources by id; `log` tells what happened, `wakeups` whom to tell that something did."""

    def __init__(self, kind: Kind, log: EventLog, clock: Callable[[], int]) -> None:
        self.kind = kind
        self.log = log
        self.wakeups = Wakeups()
        self._clock = clock
        self._resources: dict[str, AnyResource] = {}
        self._sorted_ids: list[str] | None = None

    def get(self, id: str) -> AnyResource:
        """Return a resource. Raises NotFound."""
        resource = self._resources.get(id)
        if resource is None:
            raise errors.NotFound(Pointer(*self.kind, id))
        return resource

    def find(self, id: str) -> AnyResource | None:
        """Return a resource, None if there is none."""
        return self._resources.get(id)

    def list(self, query: Query) -> Sequence[AnyResource]:
        """Return the resources that match, ordered by id."""
        if self._sorted_ids is None:
            self._sorted_ids = sorted(self._resources)
        resources = [self._resources[id] for id in self._sorted_ids]
        if query.everything:
            return resources
        return [resource for resource in resources if query.matches(resource.metadata)]

    def create(self, resource: AnyResource, owner: str) -> AnyResource:
        """Store a new resource. Raises OwnerConflict, AlreadyExists."""
        metadata = resource.metadata
        if metadata.owner not in ("", owner):
            raise errors.OwnerConflict(metadata)
        if metadata.id in self._resources:
            raise errors.AlreadyExists(metadata)
        now = self._clock()
        return self._store(
            resource, metadata.replace(version=1, owner=owner, created=now, updated=now), EventType.CREATED, None
        )

    def update(self, resource: AnyResource, owner: str, expected_phase: Phase | None) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        metadata = resource.metadata
        current = self.get(metadata.id)
        found = current.metadata
        self._check_owner(found, owner)
        if found.version is None or found.version != metadata.version:
            raise errors.VersionConflict(found, expected=metadata.version)
        if expected_phase is not None and found.phase is not expected_phase:
            raise errors.PhaseConflict(found, expected=expected_phase)
        changed = metadata.replace(version=found.version + 1, created=found.created, updated=self._clock())
        return self._store(resource, changed, EventType.UPDATED, current)

    def destroy(self, id: str, owner: str) -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        current = self.get(id)
        self._check_owner(current.metadata, owner)
        if current.metadata.finalizers:
            raise errors.PendingFinalizers(current.metadata)
        del self._resources[id]
        self._publish(EventType.DESTROYED, current, None)

    def _store(
        self, resource: AnyResource, metadata: Metadata, type: EventType, old: AnyResource | None
    ) -> AnyResource:
        stored = resource.with_metadata(metadata)
        self._resources[metadata.id] = stored
        self._publish(type, stored, old)
        return stored

    def _publish(self, type: EventType, resource: AnyResource, old: AnyResource | None) -> None:
        if type is not EventType.UPDATED:
            self._sorted_ids = None
        self.log.append(type, resource, old)
        self.wakeups.wake_all()

    @staticmethod
    def _check_owner(found: Metadata, owner: str) -> None:
        if found.owner != owner:
            raise errors.OwnerConflict(found)
