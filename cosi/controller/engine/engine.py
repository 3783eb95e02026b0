"""Runs controllers on a state: one watch for each kind that anybody reads, one runner for each controller.

        state ──watch──▶ engine ──signal or queue──▶ controller ──writes──▶ state

Controllers meet only in the state. An event wakes the controllers whose inputs it concerns; ten thousand events before
a controller looks are one wake-up of a Controller, and one item each of a QController. What raises is retried with
exponential backoff, and the others do not notice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from typing import Final, Protocol

import anyio
import structlog
from anyio.abc import TaskGroup, TaskStatus

from cosi import clock as clocks
from cosi.controller.controller import Controller
from cosi.controller.counters import Counters
from cosi.controller.dependencies import Input, InputMode
from cosi.controller.engine.cache import CachedState
from cosi.controller.engine.graph import DependencyGraph
from cosi.controller.engine.kind_watch import KindWatch
from cosi.controller.engine.limiter import Rate
from cosi.controller.engine.queue_runner import QueueRunner
from cosi.controller.engine.services import OnFailure, Services
from cosi.controller.engine.supervisor import Supervisor
from cosi.controller.qcontroller import QController
from cosi.journal.journal import Journal
from cosi.journal.records import Change
from cosi.resource.metadata import Kind
from cosi.state.core import CoreState
from cosi.state.wakeups import Wakeups

SHUTDOWN_SECONDS: Final = 10.0
"""How long controllers may take to stop before those that have not are named in the log."""

_log = structlog.get_logger(component="engine")


class Runner(Protocol):
    """The engine's side of one controller, of whatever sort."""

    name: str

    @property
    def counters(self) -> Counters:
        """What was counted so far."""

    @property
    def idle(self) -> bool:
        """Whether it does nothing before something changes or the clock moves."""

    def wake(self, mode: InputMode, change: Change) -> None:
        """Tell it that an input has changed."""

    def resync(self, kind: Kind) -> None:
        """Tell it that changes of a kind may have been missed."""

    async def run(self) -> None:
        """Run the controller."""


class Engine:
    """A set of controllers on one state. Register, then `run`, once; registering goes on while running.

    `cached` are the kinds that controllers read from memory. `change_rate` limits the writes of each controller.
    `on_overdue` is called, from another thread, when controllers have not stopped after `shutdown_seconds`,
    `on_failure` whenever a controller has failed at something.
    """

    def __init__(
        self,
        core: CoreState,
        *,
        cached: Collection[Kind] = (),
        change_rate: Rate | None = None,
        journal: Journal | None = None,
        clock: clocks.Clock = clocks.SYSTEM,
        shutdown_seconds: float = SHUTDOWN_SECONDS,
        on_overdue: Callable[[], None] | None = None,
        on_failure: OnFailure | None = None,
    ) -> None:
        self.graph = DependencyGraph()
        self.journal = journal if journal is not None else Journal()
        self.rewired = Wakeups()
        """Who wants to know when a controller that runs reads something else."""
        self._cached = CachedState(core, cached)
        self._services = Services(core, self._cached, self.journal, clock, change_rate, self._set_inputs, on_failure)
        self._shutdown_seconds = shutdown_seconds
        self._on_overdue = on_overdue
        self._runners: dict[str, Runner] = {}
        self._watches: dict[Kind, KindWatch] = {}
        self._stopped: set[str] = set()
        self._tasks: TaskGroup | None = None
        self._ran = False

    @property
    def counters(self) -> Mapping[str, Counters]:
        """What was counted of each controller."""
        return {name: runner.counters for name, runner in self._runners.items()}

    @property
    def busy(self) -> Sequence[str]:
        """The controllers that are doing something, or are about to."""
        return [name for name, runner in self._runners.items() if not runner.idle]

    @property
    def idle(self) -> bool:
        """Whether nothing happens before somebody else writes or the clock moves; for states in this process only."""
        return not self.busy and all(watch.caught_up for watch in self._watches.values())

    def register(self, controller: Controller | QController) -> None:
        """Add a controller; it starts with the engine, or at once if the engine runs.

        Raises Clash if its name or an output is taken, ValueError if it declares what its sort can't have.
        """
        runner: Runner
        if isinstance(controller, QController):
            runner = QueueRunner(controller, self._services)
        else:
            runner = Supervisor(controller, self._services)
        self.graph.add(controller.name, controller.inputs, controller.outputs)
        self._runners[controller.name] = runner
        if self._tasks is not None:
            self._tasks.start_soon(self._run, runner)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run all controllers until cancelled. Reports started once every watch is set up.

        Raises RuntimeError if it has run before.
        """
        if self._ran:
            raise RuntimeError("an engine runs once: make another one for the next time")
        self._ran = True
        overdue = threading.Timer(self._shutdown_seconds, self._overdue)
        overdue.daemon = True
        try:
            async with anyio.create_task_group() as tasks:
                await self._watch(tasks, self.graph.kinds() | self._cached.caches.keys())
                self._tasks = tasks
                for runner in self._runners.values():
                    tasks.start_soon(self._run, runner)
                task_status.started()
                try:
                    await anyio.sleep_forever()
                finally:
                    overdue.start()
        finally:
            self._tasks = None
            overdue.cancel()

    async def _run(self, runner: Runner) -> None:
        try:
            await self._watch_inputs_of(runner.name)
            await runner.run()
        finally:
            self._stopped.add(runner.name)

    async def _set_inputs(self, name: str, inputs: Sequence[Input]) -> None:
        if tuple(inputs) != self.graph.inputs_of(name):
            self.graph.set_inputs(name, inputs)
            self.rewired.wake_all()
            await self._watch_inputs_of(name)

    async def _watch_inputs_of(self, name: str) -> None:
        """Watch what a controller reads. It doesn't wait for what others read, which may never be there."""
        assert self._tasks is not None
        await self._watch(self._tasks, {wanted.kind for wanted in self.graph.inputs_of(name)})

    async def _watch(self, tasks: TaskGroup, kinds: Set[Kind]) -> None:
        """Open a watch for every kind that has none yet; a watch once opened stays."""
        for kind in sorted(kinds - self._watches.keys()):
            cache = self._cached.caches.get(kind)
            watch = self._watches[kind] = KindWatch(
                self._services.core, kind, cache, self._services.clock, deliver=self._deliver, resync=self._resync
            )
            tasks.start_soon(watch.run)
        # Others may have begun to open some of them: who reads before they are open would miss what comes in between.
        for kind in kinds:
            if not self._watches[kind].opened.is_set():
                await self._watches[kind].opened.wait()

    def _deliver(self, kind: Kind, change: Change) -> None:
        """Wake whom a change concerns."""
        for name, wanted in self.graph.readers(kind):
            if wanted.concerns(change.metadata):
                self._runners[name].wake(wanted.mode, change)

    def _resync(self, kind: Kind) -> None:
        for name in {name for name, _ in self.graph.readers(kind)}:
            self._runners[name].resync(kind)

    def _overdue(self) -> None:
        late = sorted(self._runners.keys() - self._stopped)
        _log.error("controllers did not stop in time", controllers=late, seconds=self._shutdown_seconds)
        if self._on_overdue is not None:
            self._on_overdue()
