"""One core state for each namespace, made when the namespace is first used: each can be another backend.

    def core_of(namespace: str) -> CoreState:
        return MemoryState(history=LONG) if namespace == "config" else MemoryState()

    state = State(Namespaced(core_of))

No operation spans namespaces, so nothing is lost by the split. A bookmark belongs to the core that gave it: in another
namespace it is an InvalidBookmark, as long as the factory makes a core of its own for each.
Faithful to the Go runtime (pkg/state/impl/namespaced), where the number of namespaces is not bounded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.state import State

MAX_NAMESPACES: Final = 1024
"""Names come from clients, and even reading makes a core. A Talos node has about twenty namespaces."""


class Namespaced:
    """A core state that sends every operation to the core of its namespace.

    It can always tear down in one step, because a namespace's `State` can: by the core's own step where that has one.
    """

    def __init__(self, factory: Callable[[str], CoreState]) -> None:
        self._factory = factory
        self._states: dict[str, State] = {}

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound, LimitExceeded if its namespace is one too many."""
        return await self._state(pointer.namespace).core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id. Raises LimitExceeded."""
        return await self._state(kind.namespace).core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict, LimitExceeded."""
        return await self._state(resource.metadata.namespace).core.create(resource, owner=owner)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict, LimitExceeded."""
        core = self._state(resource.metadata.namespace).core
        return await core.update(resource, owner=owner, expected_phase=expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers, LimitExceeded."""
        await self._state(pointer.namespace).core.destroy(pointer, owner=owner)

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        """See `State.teardown`."""
        return await self._state(pointer.namespace).teardown(pointer, owner=owner)

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """See `State.teardown_and_destroy`."""
        await self._state(pointer.namespace).teardown_and_destroy(pointer, owner=owner)

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[Watch]:
        """Watch one resource. Entering raises InvalidBookmark, InvalidArgument, LimitExceeded."""
        async with self._state(pointer.namespace).watch(pointer, options) as watch:
            yield watch

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        """Watch a kind. Entering raises InvalidBookmark, InvalidArgument, LimitExceeded."""
        async with self._state(kind.namespace).watch_kind(kind, options) as watch:
            yield watch

    def _state(self, namespace: str) -> State:
        state = self._states.get(namespace)
        if state is None:
            if len(self._states) >= MAX_NAMESPACES:
                raise errors.LimitExceeded(
                    f'namespace "{namespace}" would be one too many: '
                    f"a state has at most {MAX_NAMESPACES} namespaces; use one that is there"
                )
            state = self._states[namespace] = State(self._factory(namespace))
        return state
