"""An engine that runs while a test's body does, and small controllers for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, Output, mapped, primary, weak
from cosi.controller.engine.engine import Engine
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Metadata, Pointer
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import IntResource, PathResource

Action = Callable[[], Coroutine[Any, Any, None]]


@asynccontextmanager
async def started(engine: Engine) -> AsyncIterator[None]:
    """Run an engine while the body runs, and no longer than a test waits for anything."""
    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            await tasks.start(engine.run)
            yield
            tasks.cancel_scope.cancel()


class Watcher(Controller):
    """Counts its starts and its reconciles, and does in each what it was told to."""

    inputs: Sequence[Input] = (weak(IntResource),)

    def __init__(
        self,
        action: Action | None = None,
        *,
        name: str = "test.Watcher",
        inputs: Sequence[Input] = (weak(IntResource),),
        outputs: Sequence[Output] = (),
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.starts = 0
        self.reconciles = 0
        self._action = action

    async def run(self, runtime: Runtime) -> None:
        """Count, and act."""
        self.starts += 1
        async for _ in runtime.reconcile():
            self.reconciles += 1
            if self._action is not None:
                await self._action()


class QWatcher(QController):
    """Notes the items it was given and the changes it mapped, and does what it was told to with each."""

    def __init__(
        self,
        action: Action | None = None,
        *,
        name: str = "test.QWatcher",
        inputs: Sequence[Input] = (primary(IntResource), mapped(PathResource)),
        outputs: Sequence[Output] = (),
        maps: Action | None = None,
    ) -> None:
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.items: list[str] = []
        self.mapped: list[str] = []
        self.shut_down = 0
        self._action = action
        self._maps = maps

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Note the item, and act."""
        self.items.append(item.id)
        if self._action is not None:
            await self._action()

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Sequence[Pointer]:
        """Note the change, act, and name the item of the same id."""
        self.mapped.append(changed.id)
        if self._maps is not None:
            await self._maps()
        return [IntResource.pointer_to(changed.id)]

    def shutdown_hook(self) -> None:
        """Count the ends."""
        self.shut_down += 1
