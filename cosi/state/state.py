"""What people hold: a core state, and everything that can be derived from its seven primitives once for all backends.

Faithful to `State` of the Go runtime (pkg/state/wrap.go).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import anyio

from cosi.resource.metadata import Kind, Metadata, Phase, Pointer
from cosi.resource.resource import AnyResource, ResourceT
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, SupportsTeardown, Watch, WatchKindOptions, WatchOptions
from cosi.state.event import Event, EventType
from cosi.state.reader import Reader


class State(Reader):
    """A core state with everything derived from it. It is itself a core: whatever takes a core takes a State."""

    core: CoreState

    def __init__(self, core: CoreState) -> None:
        super().__init__(core)

    async def create(self, resource: ResourceT, *, owner: str = "") -> ResourceT:
        """Store a new resource and return it as stored. Raises AlreadyExists, OwnerConflict."""
        return _like(resource, await self.core.create(resource, owner=owner))

    async def update(
        self, resource: ResourceT, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> ResourceT:
        """Replace the resource whose version is that of `resource`; return it as stored.

        Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict.
        """
        return _like(resource, await self.core.update(resource, owner=owner, expected_phase=expected_phase))

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        await self.core.destroy(pointer, owner=owner)

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Open a watch of one resource; see `CoreState.watch`."""
        return self.core.watch(pointer, options)

    def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Open a watch of a kind; see `CoreState.watch_kind`."""
        return self.core.watch_kind(kind, options)

    async def update_with_conflicts(
        self,
        pointer: Pointer,
        change: Callable[[AnyResource], AnyResource],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> AnyResource:
        """Apply `change` to the resource as it is, again and again until nobody was faster; return the result.

        A change that changes nothing writes nothing. Raises NotFound, OwnerConflict, PhaseConflict, and whatever
        `change` raises.
        """
        return await self._update(await self.core.get(pointer), change, owner, expected_phase)

    async def modify(
        self,
        resource: ResourceT,
        change: Callable[[ResourceT], ResourceT] | None = None,
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> ResourceT:
        """Create `resource`, or update it if it exists; return it as stored.

        `change` makes what is wanted from what there is (from `resource` itself if there is nothing); without it, what
        is wanted is `resource`'s spec. Raises OwnerConflict, PhaseConflict, and AlreadyExists if somebody creates it
        meanwhile.
        """
        try:
            current = await self.core.get(resource.pointer)
        except errors.NotFound:
            return await self.create(change(resource) if change else resource, owner=owner)

        def apply(current: AnyResource) -> AnyResource:
            known = _like(resource, current)
            return change(known) if change else known.with_spec(resource.spec)

        return _like(resource, await self._update(current, apply, owner, expected_phase))

    async def _update(
        self,
        current: AnyResource,
        change: Callable[[AnyResource], AnyResource],
        owner: str,
        expected_phase: Phase | None,
    ) -> AnyResource:
        """Apply a change to a resource that was just read, and anew to what it is then while somebody is faster."""
        while True:
            if expected_phase is not None and current.metadata.phase is not expected_phase:
                raise errors.PhaseConflict(current.metadata, expected=expected_phase)
            changed = change(current)
            # Where the core does not know the type, only the typed forms can tell that nothing changed.
            if changed.equivalent(_like(changed, current)):
                return current
            try:
                return await self.core.update(changed, owner=owner, expected_phase=expected_phase)
            except (errors.OwnerConflict, errors.PhaseConflict):
                raise
            except errors.Conflict:
                current = await self.core.get(changed.pointer)

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        """Mark a resource as being torn down; tell whether it can be destroyed now (nobody holds a finalizer).

        One that is torn down already stays so. Raises NotFound, OwnerConflict.
        """
        if isinstance(self.core, SupportsTeardown):
            return await self.core.teardown(pointer, owner=owner)
        current = await self.core.get(pointer)
        if not current.metadata.tearing_down:
            current = await self._update(current, _tear_down, owner, None)
        return not current.metadata.finalizers

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Tear a resource down, wait until nobody holds a finalizer, destroy it.

        Returns as well if somebody else destroys it meanwhile. Raises NotFound, OwnerConflict.
        """
        if isinstance(self.core, SupportsTeardown):
            await self.core.teardown_and_destroy(pointer, owner=owner)
            return
        if not await self.teardown(pointer, owner=owner):
            last = await self.watch_for(
                pointer, lambda event: event.type is EventType.DESTROYED or not _finalizers(event)
            )
            if last.type is EventType.DESTROYED:
                return
        # It was there a moment ago: if it is not now, somebody else has done what was asked for.
        with suppress(errors.NotFound):
            await self.core.destroy(pointer, owner=owner)

    async def add_finalizers(self, pointer: Pointer, *names: str) -> None:
        """Add finalizers, whoever owns the resource. Raises NotFound."""
        await self._change_finalizers(pointer, lambda metadata: metadata.with_finalizers(*names))

    async def remove_finalizers(self, pointer: Pointer, *names: str) -> None:
        """Remove finalizers, whoever owns the resource. Raises NotFound."""
        await self._change_finalizers(pointer, lambda metadata: metadata.without_finalizers(*names))

    async def _change_finalizers(self, pointer: Pointer, change: Callable[[Metadata], Metadata]) -> None:
        current = await self.core.get(pointer)
        owner = current.metadata.owner
        await self._update(current, lambda found: found.with_metadata(change(found.metadata)), owner, None)

    async def watch_for(self, pointer: Pointer, condition: Callable[[Event], bool]) -> Event:
        """Wait for the first event of a resource that satisfies the condition, and return it.

        The first event tells how the resource is now. Raises the watch's own error if it fails.
        """
        async with self.core.watch(pointer) as watch:
            async for event in watch:
                if event.error is not None:
                    raise event.error
                if condition(event):
                    return event
        raise errors.Unavailable(f"the watch of {pointer} ended")

    @asynccontextmanager
    async def until_teardown(self, pointer: Pointer) -> AsyncIterator[anyio.CancelScope]:
        """Run the body until the resource is torn down, destroyed or found missing; then cancel the body.

        The scope tells afterwards whether it was cancelled (`cancelled_caught`). Raises the watch's own error if it
        fails; the body is cancelled then as well.
        """
        failure: Exception | None = None
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel_on_teardown() -> None:
                    nonlocal failure
                    try:
                        await self.watch_for(pointer, _ended)
                    except Exception as error:
                        failure = error
                    scope.cancel()

                tasks.start_soon(cancel_on_teardown)
                # The task group would wrap errors, and the caller must not notice that there is one.
                try:
                    yield scope
                except Exception as error:
                    failure = error
                tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure


def _like(wanted: ResourceT, stored: AnyResource) -> ResourceT:
    return type(wanted).of(stored)


def _tear_down(resource: AnyResource) -> AnyResource:
    return resource.with_metadata(resource.metadata.replace(phase=Phase.TEARING_DOWN))


def _ended(event: Event) -> bool:
    return event.type is EventType.DESTROYED or (event.resource is not None and event.resource.metadata.tearing_down)


def _finalizers(event: Event) -> tuple[str, ...]:
    return event.resource.metadata.finalizers if event.resource is not None else ()
