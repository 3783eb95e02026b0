"""Runs one Controller, again and again while it fails: wakes it by one signal, and keeps its restart backoff."""

from __future__ import annotations

from collections.abc import Sequence

from cosi.backoff import Backoff
from cosi.controller.controller import Controller
from cosi.controller.dependencies import CONTROLLER_MODES, Input, InputMode
from cosi.controller.engine.services import Services, Shared, Worker
from cosi.controller.engine.stepping import guarded
from cosi.controller.runtime import Runtime
from cosi.controller.signal import Signal
from cosi.journal.records import Cause, Change, Reason
from cosi.resource.metadata import Kind


class Supervisor:
    """The engine's side of one Controller. Raises ValueError for an input that only a queue controller can have."""

    def __init__(self, controller: Controller, services: Services) -> None:
        _check_inputs(controller.name, controller.inputs)
        self.name = controller.name
        self._controller = controller
        self._services = services
        self._shared = Shared(services, controller.name)
        self.counters = self._shared.counters
        self._worker: Worker | None = None
        self._backoff = Backoff()
        self._signal = Signal()
        self._resting = False

    @property
    def idle(self) -> bool:
        """Whether the controller waits for a change or for the clock, or has ended."""
        return self._resting or (self._signal.awaited and not self._signal.is_set)

    def wake(self, mode: InputMode, change: Change) -> None:
        """Tell the controller that an input has changed."""
        self._wake(change)

    def resync(self, kind: Kind) -> None:
        """Tell the controller that it may have missed changes of a kind."""
        self._wake(Reason.RESYNCED)

    async def run(self) -> None:
        """Run the controller until it returns."""
        cause = Reason.STARTED
        while True:
            self._wake(cause)
            try:
                await self._run_once()
            except Exception as error:
                delay = self._backoff.next()
                self._shared.failed("controller failed", error, restart_in=round(delay, 3))
                self._resting = True
                await self._services.clock.sleep(delay)
                self._resting = False
                await self._services.set_inputs(self.name, self._controller.inputs)
                cause = Reason.RESTARTED
            else:
                self._shared.log.debug("controller finished")
                self._resting = True
                return

    async def next_reconcile(self) -> None:
        """Wait for the next time to reconcile; see `Wiring`."""
        assert self._worker is not None
        if self._worker.busy:
            self._worker.end()
            self._backoff.reset()
        self._worker.begin(await self._signal.take())

    def ask(self) -> None:
        """Ask for one more reconcile."""
        self._wake(Reason.ASKED)

    async def rewire(self, inputs: Sequence[Input]) -> None:
        """Watch other inputs from now on."""
        _check_inputs(self.name, inputs)
        await self._services.set_inputs(self.name, inputs)
        self._wake(Reason.REWIRED)

    async def _run_once(self) -> None:
        controller = self._controller
        self._worker = Worker(self._services, self.name, controller.inputs, controller.outputs, self._shared)
        try:
            await guarded(controller.run(Runtime(self._worker.view, self)), self._shared.blocked)
        finally:
            self._worker.end()

    def _wake(self, cause: Cause) -> None:
        if self._signal.set(cause):
            self.counters.wakeups += 1


def _check_inputs(name: str, inputs: Sequence[Input]) -> None:
    for each in inputs:
        if each.mode not in CONTROLLER_MODES:
            raise ValueError(f"controller {name} has no queue, so its input {each.kind.type} can't be {each.mode}")
