"""A core state that notes in a journal who wrote what: `reconcile` is what all writes are put down to until it changes.

A teardown is written down as the update that it is, so the wrapper derives it even where the core has it in one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from cosi.journal.journal import Journal
from cosi.journal.records import Reconcile
from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions


class Journaled:
    """A core state whose writes are remembered with what caused them."""

    def __init__(self, core: CoreState, journal: Journal) -> None:
        self._core = core
        self._journal = journal
        self.reconcile: Reconcile | None = None

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        return await self._core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        stored = await self._core.create(resource, owner=owner)
        if self.reconcile is not None:
            self._journal.record(stored.metadata, self.reconcile)
        return stored

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        stored = await self._core.update(resource, owner=owner, expected_phase=expected_phase)
        if self.reconcile is not None:
            self._journal.record(stored.metadata, self.reconcile)
        return stored

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        await self._core.destroy(pointer, owner=owner)

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch one resource. Entering raises InvalidBookmark, InvalidArgument."""
        return self._core.watch(pointer, options)

    def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch a kind. Entering raises InvalidBookmark, InvalidArgument."""
        return self._core.watch_kind(kind, options)
