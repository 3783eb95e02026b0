"""A core state that writes in one owner's name: whoever holds it need not say who they are, and can't forget to.

    state = State(Owned(core, "network.AddressController"))
    await state.create(address)          # is owned by network.AddressController

An owner that is named all the same is kept, so that one can clean up after another: this guards against mistakes, not
against malice. What nobody shall own is written to the core itself. Reads pass, and anybody may still hold a finalizer:
an update that changes nothing else is accepted on what nobody owns.
Faithful to `owned.State` of the Go runtime (pkg/state/owned), as a core instead of a narrower interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, SupportsTeardown, Watch, WatchKindOptions, WatchOptions


class Owned:
    """A core state that stamps an owner on every write. It supports teardown just where the core does."""

    def __new__(cls, core: CoreState, owner: str) -> Owned:
        """Choose the class by what the core supports."""
        return super().__new__(_OwnedTeardown if isinstance(core, SupportsTeardown) else cls)

    def __init__(self, core: CoreState, owner: str) -> None:
        if not owner:
            raise ValueError("an owned state needs the name of its owner: use the core itself for what nobody owns")
        self._core = core
        self._owner = owner

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource, whoever owns it. Raises NotFound."""
        return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, whoever owns them."""
        return await self._core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource as the owner's. Raises AlreadyExists, OwnerConflict."""
        return await self._core.create(resource, owner=owner or self._owner)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource of the owner's. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        try:
            return await self._core.update(resource, owner=owner or self._owner, expected_phase=expected_phase)
        except errors.OwnerConflict:
            # Who changes finalizers names the resource's own owner, and that nobody owns it looks like not naming one.
            if owner or not await self._changes_only_finalizers(resource):
                raise
        return await self._core.update(resource, expected_phase=expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource of the owner's. Raises NotFound, OwnerConflict, PendingFinalizers."""
        await self._core.destroy(pointer, owner=owner or self._owner)

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch one resource, whoever owns it."""
        return self._core.watch(pointer, options)

    def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch a kind, whoever owns what."""
        return self._core.watch_kind(kind, options)

    async def _changes_only_finalizers(self, resource: AnyResource) -> bool:
        current = await self._core.get(resource.pointer)
        if current.metadata.version != resource.metadata.version:
            # Who reads again and retries is told so; who is not the owner is told that the next time.
            raise errors.VersionConflict(current.metadata, expected=resource.metadata.version)
        changed = current.with_metadata(current.metadata.replace(finalizers=resource.metadata.finalizers))
        return changed.equivalent(resource) and not current.equivalent(resource)


class _CoreWithTeardown(CoreState, SupportsTeardown, Protocol):
    pass


class _OwnedTeardown(Owned):
    _core: _CoreWithTeardown

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        return await self._core.teardown(pointer, owner=owner or self._owner)

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        await self._core.teardown_and_destroy(pointer, owner=owner or self._owner)
