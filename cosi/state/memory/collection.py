"""All resources of one kind, and the log of what happened to them. Pure and synchronous.

Every operation either happens as a whole, log entry included, or raises and changes nothing. Faithful to
`ResourceCollection` of the Go runtime (pkg/state/impl/inmem/collection.go), the order of its checks included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.memory.log import EventLog
from cosi.state.wakeups import KeyedWakeups, Wakeups

# Looked up once, for the path of every write.
_replace = msgspec.structs.replace


class Collection:
    """Resources by id, and the log of what happened to them.

    `wakeups` holds who waits for whatever happens next, `wakeups_by_id` who waits for one resource; these are told the
    position of its event, and sleep through all others.
    """

    def __init__(self, kind: Kind, log: EventLog, clock: Callable[[], int]) -> None:
        self.kind = kind
        self.log = log
        self.wakeups = Wakeups()
        self.wakeups_by_id = KeyedWakeups()
        self._clock = clock
        self._resources: dict[str, AnyResource] = {}
        self._sorted_ids: list[str] | None = None
        self._ordered: list[AnyResource] | None = None

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
        if self._ordered is None:
            self._ordered = list(map(self._resources.__getitem__, self._sorted_ids))
        if query.everything:
            return self._ordered.copy()
        return [resource for resource in self._ordered if query.matches(resource.metadata)]

    def create(self, resource: AnyResource, owner: str) -> AnyResource:
        """Store a new resource. Raises OwnerConflict, AlreadyExists."""
        metadata = resource.metadata
        if metadata.owner and metadata.owner != owner:
            raise errors.OwnerConflict(metadata)
        if metadata.id in self._resources:
            raise errors.AlreadyExists(metadata)
        now = self._clock()
        stored = resource.with_metadata(_replace(metadata, version=1, owner=owner, created=now, updated=now))
        self._resources[metadata.id] = stored
        self._sorted_ids = None
        self._publish(metadata.id, None, stored)
        return stored

    def update(self, resource: AnyResource, owner: str, expected_phase: Phase | None) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        metadata = resource.metadata
        id = metadata.id
        current = self._resources.get(id)
        if current is None:
            raise errors.NotFound(metadata.pointer)
        found = current.metadata
        if found.owner != owner:
            raise errors.OwnerConflict(found)
        version = found.version
        if version is None or version != metadata.version:
            raise errors.VersionConflict(found, expected=metadata.version)
        if expected_phase is not None and found.phase is not expected_phase:
            raise errors.PhaseConflict(found, expected=expected_phase)
        # Whoever owns it goes on owning it, whatever the update says.
        changed = _replace(
            metadata,
            version=version + 1,
            owner=owner or metadata.owner,
            created=found.created,
            updated=self._clock(),
        )
        stored = resource.with_metadata(changed)
        self._resources[id] = stored
        self._publish(id, current, stored)
        return stored

    def destroy(self, id: str, owner: str) -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        current = self.get(id)
        if current.metadata.owner != owner:
            raise errors.OwnerConflict(current.metadata)
        if current.metadata.finalizers:
            raise errors.PendingFinalizers(current.metadata)
        del self._resources[id]
        self._sorted_ids = None
        self._publish(id, current, None)

    def _publish(self, id: str, before: AnyResource | None, after: AnyResource | None) -> None:
        self._ordered = None
        log = self.log
        log.append(before, after)
        if self.wakeups.waiters:
            self.wakeups.wake_all()
        if self.wakeups_by_id.waiting:
            self.wakeups_by_id.wake(id, log.end - 1)
