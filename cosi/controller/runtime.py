"""What a controller holds: the state, as far as it declared, and its own reconcile signal.

Reads of undeclared inputs, writes of undeclared outputs, and finalizers on anything but strong inputs are refused; the
owner is stamped on every write (`cosi.state.filtered`, `cosi.state.owned`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio

from cosi.controller.controller import Input, InputStrength, Output
from cosi.controller.signal import Signal
from cosi.resource.metadata import Phase, Pointer
from cosi.resource.resource import AnyResource, ResourceT
from cosi.state import errors
from cosi.state.filtered import Access, Filtered, Verb
from cosi.state.owned import Owned
from cosi.state.reader import Reader
from cosi.state.state import State


class Runtime(Reader):
    """A controller's view of the state. The engine makes one for each controller; see `cosi.controller.engine`."""

    def __init__(
        self,
        name: str,
        state: State,
        *,
        inputs: Sequence[Input],
        outputs: Sequence[Output],
        signal: Signal,
        log: Any,
        on_reconciled: Callable[[], None],
        on_inputs: Callable[[Sequence[Input]], Awaitable[None]],
    ) -> None:
        super().__init__(Filtered(state.core, self._may_read))
        self.name = name
        self.log = log
        self._state = state
        self._outputs = State(Owned(state.core, name))
        self._inputs = tuple(inputs)
        self._output_types = frozenset(output.type for output in outputs)
        self._signal = signal
        self._on_reconciled = on_reconciled
        self._on_inputs = on_inputs
        self._touched: set[Pointer] | None = None

    def reconcile(self) -> AsyncIterator[None]:
        """Iterate over the times to reconcile: once at the start, then whenever an input has changed.

        Coming back for the next one says that the last succeeded, which resets the restart backoff.
        """
        return _Reconciles(self._signal, self._on_reconciled)

    def queue_reconcile(self) -> None:
        """Ask for one more reconcile."""
        self._signal.set()

    async def update_inputs(self, inputs: Sequence[Input]) -> None:
        """Replace the inputs while running; the next reconcile sees them."""
        await self._on_inputs(inputs)
        self._inputs = tuple(inputs)
        self._signal.set()

    async def create(self, resource: ResourceT) -> ResourceT:
        """Create an output. Raises AlreadyExists, AccessDenied."""
        self._check_write(resource.pointer)
        return await self._outputs.create(resource)

    async def update(self, resource: ResourceT, *, expected_phase: Phase | None = Phase.RUNNING) -> ResourceT:
        """Update an output that was read before. Raises as `State.update`, and AccessDenied."""
        self._check_write(resource.pointer)
        return await self._outputs.update(resource, expected_phase=expected_phase)

    async def modify(
        self,
        resource: ResourceT,
        change: Callable[[ResourceT], ResourceT] | None = None,
        *,
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> ResourceT:
        """Make an output exist with this spec, or as `change` makes it; nothing is written if it is so already.

        Raises as `State.modify`, and AccessDenied.
        """
        self._check_write(resource.pointer)
        return await self._outputs.modify(resource, change, expected_phase=expected_phase)

    async def teardown(self, pointer: Pointer) -> bool:
        """Mark an output as torn down; tell whether it can be destroyed now. Raises NotFound, AccessDenied."""
        self._check_write(pointer)
        return await self._outputs.teardown(pointer)

    async def destroy(self, pointer: Pointer) -> None:
        """Destroy an output. Raises NotFound, PendingFinalizers, AccessDenied."""
        self._check_write(pointer)
        await self._outputs.destroy(pointer)

    async def add_finalizer(self, pointer: Pointer) -> None:
        """Hold an input: it is not destroyed before `remove_finalizer`. Raises NotFound, AccessDenied."""
        self._check_finalizer(pointer)
        await self._state.add_finalizers(pointer, self.name)

    async def remove_finalizer(self, pointer: Pointer) -> None:
        """Let go of an input; one that does not exist any more is no error. Raises AccessDenied."""
        self._check_finalizer(pointer)
        try:
            await self._state.remove_finalizers(pointer, self.name)
        except errors.NotFound:
            return

    def until_teardown(self, pointer: Pointer) -> AbstractAsyncContextManager[anyio.CancelScope]:
        """Run the body until the resource is torn down or gone; see `State.until_teardown`."""
        self._may_read(Access(Verb.WATCH, *pointer))
        return self._state.until_teardown(pointer)

    @asynccontextmanager
    async def tracked_outputs(self, *classes: type[AnyResource], namespace: str | None = None) -> AsyncIterator[None]:
        """Remove, at the end of the body, whatever output of these types the body did not write.

        What others hold is torn down and destroyed in a later reconcile; a `destroy_ready` input on the own output
        brings that one about. A body that raises removes nothing.
        """
        if self._touched is not None:
            raise RuntimeError(f"controller {self.name} is tracking its outputs already")
        self._touched = set()
        try:
            yield
            touched = self._touched
        finally:
            self._touched = None
        for output in classes:
            for resource in await self.list(output.kind(namespace=namespace)):
                if resource.metadata.owner == self.name and resource.pointer not in touched:
                    await self._remove(resource.pointer)

    async def _remove(self, pointer: Pointer) -> None:
        try:
            await self.destroy(pointer)
        except errors.PendingFinalizers:
            await self.teardown(pointer)
        except errors.NotFound:
            return

    def _may_read(self, access: Access) -> bool:
        if access.type in self._output_types:
            return True
        if any(wanted.kind == access.kind and wanted.id in (None, access.id) for wanted in self._inputs):
            return True
        raise errors.AccessDenied(
            f"controller {self.name} reads {access.target}, which is none of its inputs and outputs"
        )

    def _check_write(self, pointer: Pointer) -> None:
        if pointer.type not in self._output_types:
            raise errors.AccessDenied(f"controller {self.name} writes {pointer}, which is none of its outputs")
        if self._touched is not None:
            self._touched.add(pointer)

    def _check_finalizer(self, pointer: Pointer) -> None:
        held = (wanted for wanted in self._inputs if wanted.strength is InputStrength.STRONG)
        if not any(wanted.kind == pointer.kind and wanted.id in (None, pointer.id) for wanted in held):
            raise errors.AccessDenied(
                f"controller {self.name} changes finalizers of {pointer}, which is none of its strong inputs"
            )


class _Reconciles:
    def __init__(self, signal: Signal, on_reconciled: Callable[[], None]) -> None:
        self._signal = signal
        self._on_reconciled = on_reconciled
        self._started = False

    def __aiter__(self) -> _Reconciles:
        return self

    async def __anext__(self) -> None:
        if self._started:
            self._on_reconciled()
        self._started = True
        await self._signal.take()
