"""Runs one QController: a queue, the workers that take from it, and a timekeeper for what must wait.

changes ──▶ queue ──▶ worker ──▶ reconcile ──▶ done, or back into the queue: later each time it fails
                 └──▶ worker ──▶ map_input ──▶ more items
"""

from __future__ import annotations

from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup

from cosi.backoff import Backoff
from cosi.controller.counters import Counters
from cosi.controller.dependencies import QUEUE_MODES, Input, InputMode
from cosi.controller.engine.hooks import run_hook, shut_down
from cosi.controller.engine.queue import WorkQueue
from cosi.controller.engine.services import Services, Shared, Worker
from cosi.controller.engine.stepping import guarded
from cosi.controller.outcome import Skip
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.journal.records import Cause, Causes, Change, Reason
from cosi.resource.metadata import Kind, Metadata, Pointer
from cosi.state import errors
from cosi.state.wakeups import Wakeups, yield_to_others


class Job(NamedTuple):
    """What the queue holds: an item to reconcile, or a changed resource to map."""

    pointer: Pointer
    maps: bool = False


class QueueRunner:
    """The engine's side of one QController. Raises ValueError for inputs or a concurrency it can't have."""

    def __init__(self, controller: QController, services: Services) -> None:
        for each in controller.inputs:
            if each.mode not in QUEUE_MODES:
                raise ValueError(
                    f"controller {controller.name} has a queue, so its input {each.kind.type} can't be {each.mode}"
                )
        if controller.concurrency < 1:
            raise ValueError(f"controller {controller.name} needs a concurrency of 1 or more")
        self.name = controller.name
        self._controller = controller
        self._services = services
        self._shared = Shared(services, controller.name)
        self._queue: WorkQueue[Job] = WorkQueue()
        self._changed: dict[Pointer, Metadata] = {}
        self._backoffs: dict[Job, Backoff] = {}
        self._wakeups = Wakeups()
        self._timer = Wakeups()
        self._nap: anyio.CancelScope | None = None
        self._nap_until = 0.0
        self._listing = 1  # the first listing is still to come
        self._tasks: TaskGroup | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do before something changes or the clock moves."""
        return not (self._listing or self._queue.ready or self._queue.held)

    @property
    def counters(self) -> Counters:
        """The controller's numbers, as they are now."""
        self._shared.counters.queue_length = len(self._queue)
        return self._shared.counters

    def wake(self, mode: InputMode, change: Change) -> None:
        """Put a changed resource into the queue."""
        self._enlist(mode, change.metadata, change)

    def resync(self, kind: Kind) -> None:
        """Put into the queue whatever missed changes of a kind may concern: everything of that kind.

        If it is mapped, that is everything: what is gone can't be mapped any more.
        """
        if self._tasks is None:
            return
        inputs = self._controller.inputs
        maps = any(wanted.kind == kind and wanted.mode is not InputMode.PRIMARY for wanted in inputs)
        for wanted in inputs:
            if wanted.kind == kind or (maps and wanted.mode is InputMode.PRIMARY):
                self._listing += 1
                self._tasks.start_soon(self._list, wanted, Reason.RESYNCED)

    async def run(self) -> None:
        """Work until cancelled."""
        controller = self._controller
        try:
            async with anyio.create_task_group() as self._tasks:
                for _ in range(controller.concurrency):
                    self._tasks.start_soon(self._work)
                self._tasks.start_soon(self._keep_time)
                if type(controller).run_hook is not QController.run_hook:
                    self._tasks.start_soon(run_hook, controller, self._services, self._shared)
                for wanted in controller.inputs:
                    if wanted.mode is InputMode.PRIMARY:
                        self._listing += 1
                        self._tasks.start_soon(self._list, wanted, Reason.STARTED)
                self._listing -= 1
        finally:
            self._tasks = None
            shut_down(controller, self._shared)

    async def _work(self) -> None:
        """Take jobs from the queue and do them, one after the other."""
        controller = self._controller
        worker = Worker(self._services, self.name, controller.inputs, controller.outputs, self._shared)
        runtime = QRuntime(worker.view)
        while True:
            taken = self._queue.take()
            if taken is None:
                await self._wakeups.wait()
                continue
            job, causes = taken
            worker.begin(causes, job.pointer, maps=job.maps)
            try:
                await self._do(job, causes, runtime)
            finally:
                worker.end()
            if self._queue.ready:
                # What is in the queue already must not keep the loop from everybody else.
                await yield_to_others()

    async def _do(self, job: Job, causes: Causes, runtime: QRuntime) -> None:
        """Do one job, and give it back to the queue as it ended."""
        runtime.requeue_seconds = None
        failure: Exception | None = None
        try:
            if job.maps:
                await self._map(job.pointer, causes, runtime)
            else:
                await guarded(self._controller.reconcile(runtime, job.pointer), self._shared.blocked)
        except Skip as skip:
            self._shared.counters.skips += 1
            self._shared.log.debug("skipped", item=str(job.pointer), reason=str(skip))
        except Exception as error:
            failure = error
        self._give_back(job, failure, runtime.requeue_seconds)

    async def _map(self, pointer: Pointer, causes: Causes, runtime: QRuntime) -> None:
        """Put the items into the queue that a changed resource concerns."""
        changed = self._changed.pop(pointer)
        ended = False
        try:
            items = list(await guarded(self._controller.map_input(runtime, changed), self._shared.blocked))
            for item in items:
                if not self._is_primary(item):
                    raise ValueError(f"{pointer} is mapped to {item}, which is none of the primary inputs")
            ended = True
        except Skip:
            ended = True
            raise
        finally:
            if not ended or runtime.requeue_seconds is not None:
                self._changed.setdefault(pointer, changed)  # for the next try, unless it has changed again
        self._shared.counters.mapped_out += len(items)
        for item in items:
            for cause in causes.first:
                self._put(Job(item), cause)

    def _is_primary(self, item: Pointer) -> bool:
        primary = (wanted for wanted in self._controller.inputs if wanted.mode is InputMode.PRIMARY)
        return any(wanted.kind == item.kind and wanted.id in (None, item.id) for wanted in primary)

    def _give_back(self, job: Job, failure: Exception | None, requeue_seconds: float | None) -> None:
        wait = requeue_seconds
        if failure is None:
            self._backoffs.pop(job, None)
            self._shared.counters.requeues += wait is not None
        else:
            if wait is None:
                wait = self._backoffs.setdefault(job, Backoff()).next()
            failed = "mapping failed" if job.maps else "reconcile failed"
            self._shared.failed(failed, failure, item=str(job.pointer), retry_in=round(wait, 3))
        if wait is None:
            self._queue.release(job)
        else:
            due = self._services.clock.now() + wait
            self._queue.release_until(job, due, Reason.REQUEUED if failure is None else Reason.RETRIED)
            self._timer.wake_all()
            if self._nap is not None and due < self._nap_until:
                self._nap.cancel()
        if self._queue.ready:
            self._wakeups.wake_one()

    async def _keep_time(self) -> None:
        """Make ready what has waited for its time."""
        clock = self._services.clock
        while True:
            due = self._queue.ripen(clock.now())
            if self._queue.ready:
                self._wakeups.wake_all()
            if due is None:
                await self._timer.wait()
            else:
                self._nap_until = due
                with anyio.CancelScope() as self._nap:
                    await clock.sleep(due - clock.now())
                self._nap = None

    async def _list(self, wanted: Input, reason: Reason) -> None:
        """Put what exists of an input into the queue; tried until it works."""
        backoff = Backoff()
        log = self._shared.log
        while True:
            try:
                resources = await self._services.cached.list(wanted.kind)
                break
            except errors.StateError as error:
                delay = backoff.next()
                log.error("listing an input failed", type=wanted.kind.type, error=str(error), retry_in=round(delay, 3))
                self._listing -= 1  # until then there is nothing to do
                await self._services.clock.sleep(delay)
                self._listing += 1
        for resource in resources:
            if wanted.concerns(resource.metadata):
                self._enlist(wanted.mode, resource.metadata, reason)
        self._listing -= 1

    def _enlist(self, mode: InputMode, metadata: Metadata, cause: Cause) -> None:
        pointer = metadata.pointer
        if mode is InputMode.PRIMARY:
            self._put(Job(pointer), cause)
        else:
            self._changed[pointer] = metadata
            self._put(Job(pointer, maps=True), cause)

    def _put(self, job: Job, cause: Cause) -> None:
        if self._queue.put(job, cause):
            self._shared.counters.wakeups += 1
        if self._queue.ready:
            self._wakeups.wake_one()
