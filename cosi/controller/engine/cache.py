"""Reads of some kinds from memory: filled and kept up by the watches that wake controllers anyway.

A controller that is woken by a change finds it in the cache, because the cache learns of it first. What the controller
wrote itself a moment ago may not be there yet; writes never go by the cache. Reads wait until the cache has been
filled, and while a watch is interrupted they see what was last known. Faithful to the Go runtime's read cache
(pkg/controller/runtime/internal/cache).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager

import anyio

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.event import Event, EventType


class KindCache:
    """The resources of one kind, as far as their watch has told."""

    __slots__ = ("_coming", "_filled", "_resources", "_sorted_ids")

    def __init__(self) -> None:
        self._resources: dict[str, AnyResource] = {}
        self._sorted_ids: list[str] = []
        self._coming: dict[str, AnyResource] | None = {}
        self._filled = anyio.Event()

    def __len__(self) -> int:
        return len(self._resources)

    def refill(self) -> None:
        """Prepare for a watch that tells everything from the beginning; reads go on with what is here."""
        self._coming = {}

    def learn(self, event: Event) -> bool:
        """Take note of an event; tell whether it is news, and not part of what existed when the watch began."""
        resource = event.resource
        if event.type is EventType.BOOTSTRAPPED:
            assert self._coming is not None
            self._resources, self._coming = self._coming, None
            self._sorted_ids = sorted(self._resources)
            self._filled.set()
            return False
        assert resource is not None
        id = resource.metadata.id
        if self._coming is not None:
            self._coming[id] = resource
            return False
        if event.type is EventType.DESTROYED:
            if self._resources.pop(id, None) is not None:
                del self._sorted_ids[bisect_left(self._sorted_ids, id)]
        else:
            if id not in self._resources:
                insort(self._sorted_ids, id)
            self._resources[id] = resource
        return True

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        if not self._filled.is_set():
            await self._filled.wait()
        resource = self._resources.get(pointer.id)
        if resource is None:
            raise errors.NotFound(pointer)
        return resource

    async def list(self, query: Query) -> Sequence[AnyResource]:
        """Return the resources that match, ordered by id."""
        if not self._filled.is_set():
            await self._filled.wait()
        resources = [self._resources[id] for id in self._sorted_ids]
        return resources if query.everything else [one for one in resources if query.matches(one.metadata)]


class CachedState:
    """A core state that reads some kinds from a cache. Writes and watches go to the core."""

    def __init__(self, core: CoreState, kinds: Collection[Kind]) -> None:
        self._core = core
        self.caches = {kind: KindCache() for kind in kinds}

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        cache = self.caches.get(pointer.kind)
        return await (self._core.get(pointer) if cache is None else cache.get(pointer))

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        cache = self.caches.get(kind)
        return await (self._core.list(kind, query=query) if cache is None else cache.list(query))

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        return await self._core.create(resource, owner=owner)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        return await self._core.update(resource, owner=owner, expected_phase=expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        await self._core.destroy(pointer, owner=owner)

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch one resource. Entering raises InvalidBookmark, InvalidArgument."""
        return self._core.watch(pointer, options)

    def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch a kind. Entering raises InvalidBookmark, InvalidArgument."""
        return self._core.watch_kind(kind, options)
