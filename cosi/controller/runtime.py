"""What a controller holds: the state, as far as it declared, and its own reconcile signal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from cosi.controller.declared import DeclaredState, View
from cosi.controller.dependencies import Input
from cosi.resource.metadata import Pointer
from cosi.resource.resource import AnyResource
from cosi.state import errors


class Wiring(Protocol):
    """What the engine does for a running controller."""

    def next_reconcile(self) -> Awaitable[None]:
        """Wait for the next time to reconcile; the last one, if there was one, has succeeded."""

    def ask(self) -> None:
        """Ask for one more reconcile."""

    async def rewire(self, inputs: Sequence[Input]) -> None:
        """Watch other inputs from now on, and ask for a reconcile that sees them."""


class Runtime(DeclaredState):
    """A controller's view of the state. The engine makes one for each controller; see `cosi.controller.engine`."""

    def __init__(self, view: View, wiring: Wiring) -> None:
        super().__init__(view)
        self._wiring = wiring
        self._touched: set[Pointer] | None = None

    def reconcile(self) -> AsyncIterator[None]:
        """Iterate over the times to reconcile: once at the start, then whenever an input has changed.

        Coming back for the next one says that the last succeeded, which resets the restart backoff.
        """
        return _Reconciles(self._wiring)

    def queue_reconcile(self) -> None:
        """Ask for one more reconcile."""
        self._wiring.ask()

    async def update_inputs(self, inputs: Sequence[Input]) -> None:
        """Replace the inputs while running; the next reconcile sees them. Raises ValueError for a queue's input."""
        await self._wiring.rewire(inputs)
        self._view.rewire(inputs)

    @asynccontextmanager
    async def tracked_outputs(self, *classes: type[AnyResource], namespace: str | None = None) -> AsyncIterator[None]:
        """Remove, at the end of the body, whatever output of these types the body did not write.

        What others hold is torn down and destroyed in a later reconcile; a `destroy_ready` input on the own output
        brings that one about. A body that raises removes nothing.
        """
        if self._touched is not None:
            raise RuntimeError(f"controller {self.name} is tracking its outputs already")
        touched = self._touched = set()
        try:
            yield
        finally:
            self._touched = None
        for output in classes:
            # A cache may not know yet what an earlier reconcile wrote, and nothing would bring it up again.
            for resource in await self.uncached.list(output.kind(namespace=namespace)):
                if resource.metadata.owner == self.name and resource.pointer not in touched:
                    await self._drop(resource.pointer)

    async def _drop(self, pointer: Pointer) -> None:
        # Destroyed at once if nobody holds it: watchers see it go, and no teardown before.
        try:
            await self.destroy(pointer)
        except errors.PendingFinalizers:
            await self.teardown(pointer)
        except errors.NotFound:
            return

    def _check_write(self, pointer: Pointer) -> None:
        super()._check_write(pointer)
        if self._touched is not None:
            self._touched.add(pointer)


class _Reconciles:
    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def __aiter__(self) -> _Reconciles:
        return self

    def __anext__(self) -> Awaitable[None]:
        return self._wiring.next_reconcile()
