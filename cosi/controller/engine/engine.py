"""Runs controllers on a state: one watch for each kind that anybody reads, one task for each controller.

        state ──watch──▶ engine ──signal──▶ controller ──writes──▶ state

Controllers meet only in the state. An event wakes the controllers whose inputs it concerns; ten thousand events before
a controller looks are one wake-up. A controller that raises is restarted with exponential backoff, and the others do
not notice. A watch that fails is opened again, and wakes everybody who reads the kind, because nobody knows what was
missed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from cosi.backoff import Backoff
from cosi.controller.controller import Controller, Input
from cosi.controller.engine.graph import DependencyGraph
from cosi.controller.runtime import Runtime
from cosi.controller.signal import Signal
from cosi.resource.metadata import Kind
from cosi.state import errors
from cosi.state.core import CoreState, Watch
from cosi.state.state import State

_log = structlog.get_logger(component="engine")


class Engine:
    """A set of controllers on one state. Register, then `run`; registering goes on while running."""

    def __init__(self, state: CoreState) -> None:
        self.graph = DependencyGraph()
        self._state = state if isinstance(state, State) else State(state)
        self._supervisors: dict[str, _Supervisor] = {}
        self._watched: set[Kind] = set()
        self._tasks: TaskGroup | None = None

    def register(self, controller: Controller) -> None:
        """Add a controller; it starts with the engine, or at once if the engine runs. Raises Clash."""
        self.graph.add(controller.name, controller.inputs, controller.outputs)
        supervisor = self._supervisors[controller.name] = _Supervisor(controller, self._state, self._update_inputs)
        if self._tasks is not None:
            self._tasks.start_soon(self._start, supervisor)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run all controllers until cancelled. Reports started once every watch is set up."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                await self._watch_inputs()
                for supervisor in list(self._supervisors.values()):
                    tasks.start_soon(supervisor.run)
                task_status.started()
                await anyio.sleep_forever()
            finally:
                self._tasks = None
                self._watched.clear()

    async def _start(self, supervisor: _Supervisor) -> None:
        await self._watch_inputs()
        await supervisor.run()

    async def _update_inputs(self, name: str, inputs: Sequence[Input]) -> None:
        self.graph.set_inputs(name, inputs)
        await self._watch_inputs()

    async def _watch_inputs(self) -> None:
        """Open a watch for every input's kind that has none yet; a watch once opened stays."""
        assert self._tasks is not None
        for kind in self.graph.kinds() - self._watched:
            self._watched.add(kind)
            await self._tasks.start(self._watch, kind)

    async def _watch(self, kind: Kind, *, task_status: TaskStatus[None]) -> None:
        backoff = Backoff()
        first = True
        while True:
            try:
                async with self._state.watch_kind(kind) as watch:
                    if first:
                        task_status.started()
                        first = False
                    else:
                        self._wake(self.graph.readers_of(kind))
                    error = await self._dispatch(watch, backoff)
            except errors.StateError as failure:
                error = failure
            delay = backoff.next()
            _log.warning("watch failed", kind=kind.type, namespace=kind.namespace, error=str(error), retry_in=delay)
            await anyio.sleep(delay)

    async def _dispatch(self, watch: Watch, backoff: Backoff) -> Exception:
        """Wake whom events concern, until the watch fails; return why it did."""
        while events := await watch.batch():
            for event in events:
                if event.error is not None:
                    return event.error
                if event.resource is not None:
                    self._wake(self.graph.concerned(event.resource.metadata))
            backoff.reset()
        return errors.Unavailable("the watch ended")

    def _wake(self, names: Iterable[str]) -> None:
        for name in names:
            self._supervisors[name].signal.set()


class _Supervisor:
    """Runs one controller, again and again while it fails."""

    def __init__(
        self, controller: Controller, state: State, update_inputs: Callable[[str, Sequence[Input]], Awaitable[None]]
    ) -> None:
        self._controller = controller
        self._state = state
        self._update_inputs = update_inputs
        self._backoff = Backoff()
        self._log = structlog.get_logger(controller=controller.name)
        self.signal = Signal()

    async def run(self) -> None:
        """Run the controller until it returns."""
        while True:
            self.signal.set()
            try:
                await self._controller.run(self._runtime())
            except Exception as error:
                delay = self._backoff.next()
                self._log.error("controller failed", exc_info=error, restart_in=round(delay, 3))
                await anyio.sleep(delay)
                await self._update_inputs(self._controller.name, self._controller.inputs)
            else:
                self._log.debug("controller finished")
                return

    def _runtime(self) -> Runtime:
        name = self._controller.name
        return Runtime(
            name,
            self._state,
            inputs=self._controller.inputs,
            outputs=self._controller.outputs,
            signal=self.signal,
            log=self._log,
            on_reconciled=self._backoff.reset,
            on_inputs=lambda inputs: self._update_inputs(name, inputs),
        )
