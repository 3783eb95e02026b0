"""A controller's view of the state: it reads what it declared, and writes what it declared in its own name.

Reads of undeclared inputs, writes of undeclared outputs, and finalizers on inputs that are not held are refused with
AccessDenied. Reads of kinds that the engine caches come from the cache, which lags behind by as little as the
controller's own wake-ups do; `uncached` reads the state itself. Writes wait for the engine's rate limit, if it has one.
Faithful to the Go runtime's StateAdapter (pkg/controller/runtime/internal/controllerstate).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import anyio

from cosi.controller.counters import Counters
from cosi.controller.dependencies import HOLDING_MODES, Input, Output
from cosi.journal.journaled import Journaled
from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource, ResourceT
from cosi.state import errors
from cosi.state.core import CoreState
from cosi.state.reader import Reader
from cosi.state.state import State


class Limiter(Protocol):
    """Who says when a controller may write again."""

    async def wait(self) -> None:
        """Wait until there may be one more write."""


class View:
    """What the engine gives a controller to look at the state with."""

    __slots__ = (
        "_kinds",
        "_output_types",
        "_resources",
        "cached",
        "core",
        "counters",
        "held",
        "limiter",
        "log",
        "name",
    )

    def __init__(
        self,
        name: str,
        core: Journaled,
        cached: CoreState,
        *,
        inputs: Sequence[Input],
        outputs: Sequence[Output],
        counters: Counters,
        limiter: Limiter | None,
        log: Any,
    ) -> None:
        self.name = name
        self.core = core
        self.cached = cached
        self.counters = counters
        self.limiter = limiter
        self.log = log
        self._output_types = frozenset(output.type for output in outputs)
        self.rewire(inputs)

    def rewire(self, inputs: Sequence[Input]) -> None:
        """Replace the inputs."""
        self._kinds = frozenset(wanted.kind for wanted in inputs if wanted.id is None)
        self._resources = frozenset(Pointer(*wanted.kind, wanted.id) for wanted in inputs if wanted.id is not None)
        self.held = tuple(wanted for wanted in inputs if wanted.mode in HOLDING_MODES)

    def writes(self, type: str) -> bool:
        """Tell whether a type is an output."""
        return type in self._output_types

    def check_read(self, namespace: str, type: str, id: str | None) -> None:
        """Count a read. Raises AccessDenied unless a resource, or a kind if `id` is None, is an input or an output."""
        self.counters.reads += 1
        if (namespace, type) in self._kinds or type in self._output_types:
            return
        if (namespace, type, id) not in self._resources:
            raise errors.AccessDenied(
                f"controller {self.name} reads {type}({namespace}/{id or ''}), which is none of its inputs and outputs"
            )


class _Declared:
    """The reads of a core that a view allows."""

    __slots__ = ("_core", "_view")

    def __init__(self, core: CoreState, view: View) -> None:
        self._core = core
        self._view = view

    async def get(self, pointer: Pointer) -> AnyResource:
        self._view.check_read(*pointer)
        return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        self._view.check_read(kind.namespace, kind.type, None)
        return await self._core.list(kind, query=query)


class DeclaredState(Reader):
    """Reads and writes of one controller."""

    def __init__(self, view: View) -> None:
        super().__init__(_Declared(view.cached, view))
        self.name = view.name
        self.log = view.log
        self.uncached = Reader(_Declared(view.core, view))
        self._view = view
        self._state = State(view.core)

    async def create(self, resource: ResourceT, *, owner: str | None = None) -> ResourceT:
        """Create an output. Raises AlreadyExists, AccessDenied.

        Here as in the other writes, `owner` is the controller unless told; "" is nobody.
        """
        self._check_write(resource.pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        return await self._state.create(resource, owner=self._owner(owner))

    async def update(
        self, resource: ResourceT, *, owner: str | None = None, expected_phase: Phase | None = Phase.RUNNING
    ) -> ResourceT:
        """Update an output that was read before. Raises as `State.update`, and AccessDenied."""
        self._check_write(resource.pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        return await self._state.update(resource, owner=self._owner(owner), expected_phase=expected_phase)

    async def modify(
        self,
        resource: ResourceT,
        change: Callable[[ResourceT], ResourceT] | None = None,
        *,
        owner: str | None = None,
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> ResourceT:
        """Make an output exist with this spec, or as `change` makes it; nothing is written if it is so already.

        Raises as `State.modify`, and AccessDenied.
        """
        self._check_write(resource.pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        return await self._state.modify(resource, change, owner=self._owner(owner), expected_phase=expected_phase)

    async def teardown(self, pointer: Pointer, *, owner: str | None = None) -> bool:
        """Mark an output as torn down; tell whether it can be destroyed now. Raises NotFound, AccessDenied."""
        self._check_write(pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        return await self._state.teardown(pointer, owner=self._owner(owner))

    async def destroy(self, pointer: Pointer, *, owner: str | None = None) -> None:
        """Destroy an output. Raises NotFound, PendingFinalizers, AccessDenied."""
        self._check_write(pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        await self._state.destroy(pointer, owner=self._owner(owner))

    async def remove(self, pointer: Pointer, *, owner: str | None = None) -> bool:
        """Tear an output down and destroy it if nobody holds it; tell whether it is gone. Raises AccessDenied.

        What others hold stays, torn down, until they let go; a destroy-ready input on it says when.
        """
        try:
            if not await self.teardown(pointer, owner=owner):
                return False
            await self.destroy(pointer, owner=owner)
        except errors.NotFound:
            pass
        except errors.PendingFinalizers:
            return False
        return True

    async def add_finalizer(self, pointer: Pointer) -> None:
        """Hold an input: it is not destroyed before `remove_finalizer`. Raises NotFound, AccessDenied."""
        self._check_hold(pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        await self._state.add_finalizers(pointer, self.name)

    async def remove_finalizer(self, pointer: Pointer) -> None:
        """Let go of an input; one that does not exist any more is no error. Raises AccessDenied."""
        self._check_hold(pointer)
        if self._view.limiter is not None:
            await self._view.limiter.wait()
        try:
            await self._state.remove_finalizers(pointer, self.name)
        except errors.NotFound:
            return

    def until_teardown(self, pointer: Pointer) -> AbstractAsyncContextManager[anyio.CancelScope]:
        """Run the body until the resource is torn down or gone; see `State.until_teardown`."""
        self._view.check_read(*pointer)
        return self._state.until_teardown(pointer)

    def _owner(self, owner: str | None) -> str:
        return self.name if owner is None else owner

    def _check_write(self, pointer: Pointer) -> None:
        if not self._view.writes(pointer.type):
            raise errors.AccessDenied(f"controller {self.name} writes {pointer}, which is none of its outputs")
        self._view.counters.writes += 1

    def _check_hold(self, pointer: Pointer) -> None:
        held = self._view.held
        if not any(wanted.kind == pointer.kind and wanted.id in (None, pointer.id) for wanted in held):
            raise errors.AccessDenied(
                f"controller {self.name} changes finalizers of {pointer}, which is none of its strong, primary or "
                "mapped inputs"
            )
        self._view.counters.writes += 1
