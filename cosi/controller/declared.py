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
from cosi.resource.metadata import Phase, Pointer
from cosi.resource.resource import ResourceT
from cosi.state import errors
from cosi.state.core import CoreState
from cosi.state.filtered import Access, Filtered, Verb
from cosi.state.reader import Reader
from cosi.state.state import State


class Limiter(Protocol):
    """Who says when a controller may write again."""

    async def wait(self) -> None:
        """Wait until there may be one more write."""


class View:
    """What the engine gives a controller to look at the state with."""

    __slots__ = ("cached", "core", "counters", "inputs", "limiter", "log", "name", "output_types")

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
        self.inputs = tuple(inputs)
        self.output_types = frozenset(output.type for output in outputs)
        self.counters = counters
        self.limiter = limiter
        self.log = log


class DeclaredState(Reader):
    """Reads and writes of one controller."""

    def __init__(self, view: View) -> None:
        super().__init__(Filtered(view.cached, self._may_read))
        self.name = view.name
        self.log = view.log
        self.uncached = Reader(Filtered(view.core, self._may_read))
        self._view = view
        self._state = State(view.core)

    async def create(self, resource: ResourceT, *, owner: str | None = None) -> ResourceT:
        """Create an output. Raises AlreadyExists, AccessDenied.

        Here as in the other writes, `owner` is the controller unless told; "" is nobody.
        """
        await self._may_write(resource.pointer)
        return await self._state.create(resource, owner=self._owner(owner))

    async def update(
        self, resource: ResourceT, *, owner: str | None = None, expected_phase: Phase | None = Phase.RUNNING
    ) -> ResourceT:
        """Update an output that was read before. Raises as `State.update`, and AccessDenied."""
        await self._may_write(resource.pointer)
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
        await self._may_write(resource.pointer)
        return await self._state.modify(resource, change, owner=self._owner(owner), expected_phase=expected_phase)

    async def teardown(self, pointer: Pointer, *, owner: str | None = None) -> bool:
        """Mark an output as torn down; tell whether it can be destroyed now. Raises NotFound, AccessDenied."""
        await self._may_write(pointer)
        return await self._state.teardown(pointer, owner=self._owner(owner))

    async def destroy(self, pointer: Pointer, *, owner: str | None = None) -> None:
        """Destroy an output. Raises NotFound, PendingFinalizers, AccessDenied."""
        await self._may_write(pointer)
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
        await self._may_hold(pointer)
        await self._state.add_finalizers(pointer, self.name)

    async def remove_finalizer(self, pointer: Pointer) -> None:
        """Let go of an input; one that does not exist any more is no error. Raises AccessDenied."""
        await self._may_hold(pointer)
        try:
            await self._state.remove_finalizers(pointer, self.name)
        except errors.NotFound:
            return

    def until_teardown(self, pointer: Pointer) -> AbstractAsyncContextManager[anyio.CancelScope]:
        """Run the body until the resource is torn down or gone; see `State.until_teardown`."""
        self._may_read(Access(Verb.WATCH, *pointer))
        return self._state.until_teardown(pointer)

    def _owner(self, owner: str | None) -> str:
        return self.name if owner is None else owner

    def _may_read(self, access: Access) -> bool:
        view = self._view
        view.counters.reads += 1
        if access.type in view.output_types:
            return True
        if any(wanted.kind == access.kind and wanted.id in (None, access.id) for wanted in view.inputs):
            return True
        raise errors.AccessDenied(
            f"controller {self.name} reads {access.target}, which is none of its inputs and outputs"
        )

    async def _may_write(self, pointer: Pointer) -> None:
        if pointer.type not in self._view.output_types:
            raise errors.AccessDenied(f"controller {self.name} writes {pointer}, which is none of its outputs")
        await self._count_write()

    async def _may_hold(self, pointer: Pointer) -> None:
        held = (wanted for wanted in self._view.inputs if wanted.mode in HOLDING_MODES)
        if not any(wanted.kind == pointer.kind and wanted.id in (None, pointer.id) for wanted in held):
            raise errors.AccessDenied(
                f"controller {self.name} changes finalizers of {pointer}, which is none of its strong, primary or "
                "mapped inputs"
            )
        await self._count_write()

    async def _count_write(self) -> None:
        self._view.counters.writes += 1
        if self._view.limiter is not None:
            await self._view.limiter.wait()
