"""Runs the node's sequences, one at a time, and tells of each step: booting, upgrading, restarting, stopping.

A sequence is a list of steps. One that is asked for while another runs takes over from it where the table below says
so, and else does not begin. Either way the events say so, in the name of who asked. What a sequence that is taken
over had begun is cancelled where it waits. Rules, events and messages are Talos's
(internal/app/machined/pkg/runtime/sequencer.go, v1alpha1_controller.go).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

import anyio
import structlog

from cosi.state import errors
from cosi.state.state import State
from machined.background import Background
from machined.events import Events
from resources import sequence_status
from resources.sequence_status import SequenceName, SequenceStatus, SequenceStatusSpec
from talos._pb.common import common_pb2
from talos._pb.machine.machine_pb2 import PhaseEvent, SequenceEvent, TaskEvent

TAKES_OVER: Final[Mapping[SequenceName, frozenset[SequenceName]]] = {
    SequenceName.BOOT: frozenset({SequenceName.REBOOT, SequenceName.UPGRADE}),
    SequenceName.REBOOT: frozenset({SequenceName.REBOOT}),
}
"""What may take over from a sequence that runs, beside those that are told to."""

_log = structlog.get_logger(component="sequencer")


class SequenceFailed(Exception):
    """A step could not do its work; the rest of the sequence is not begun, and the node goes on."""


Work = Callable[[], Awaitable[None]]
"""What a step does. Raises SequenceFailed."""


class Step(NamedTuple):
    """One phase of a sequence, and its only task."""

    phase: str
    task: str
    work: Work


class _Run:
    """A sequence that runs, until it has ended."""

    def __init__(self, name: SequenceName) -> None:
        self.name = name
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()


class Sequencer:
    """The sequences of one start of the node."""

    def __init__(self, state: State, events: Events, background: Background) -> None:
        self._state = state
        self._events = events
        self._background = background
        self._turn = anyio.Lock()
        self._running: _Run | None = None

    def start(self, name: SequenceName, steps: Sequence[Step], *, actor: str = "", take_over: bool = False) -> None:
        """Start a sequence in the name of an actor; `take_over` lets it take over from any other."""
        self._background.start_soon(partial(self._start, name, steps, actor, take_over))

    async def _start(self, name: SequenceName, steps: Sequence[Step], actor: str, take_over: bool) -> None:
        async with self._turn:
            before = self._running
            if before is not None:
                if not take_over and name not in TAKES_OVER.get(before.name, ()):
                    self._publish_failure(name, common_pb2.LOCKED, "sequence not started: locked", actor)
                    _log.warning("sequence not started", sequence=name.value, running=before.name.value)
                    return
                before.scope.cancel()
                await before.ended.wait()
            run = self._running = _Run(name)
        problem = ""
        try:
            with run.scope:
                problem = await self._perform(name, steps, actor)
            if run.scope.cancelled_caught:
                self._publish_failure(name, common_pb2.CANCELED, "sequence failed: context canceled", actor)
        finally:
            with anyio.CancelScope(shield=True):
                await self._show(SequenceStatusSpec(problem=problem))
            self._running = None
            run.ended.set()

    async def _perform(self, name: SequenceName, steps: Sequence[Step], actor: str) -> str:
        """Take the steps; return why that failed, if it did."""
        log = _log.bind(sequence=name.value, **({"actor": actor} if actor else {}))
        log.info("sequence begins")
        await self._show(SequenceStatusSpec(sequence=name, phase=steps[0].phase, actor=actor))
        self._events.publish(SequenceEvent(sequence=name, action=SequenceEvent.START), actor)
        problem = ""
        try:
            await self._take(steps[0], actor)
            for step in steps[1:]:
                await self._show(SequenceStatusSpec(sequence=name, phase=step.phase, actor=actor))
                await self._take(step, actor)
        except (SequenceFailed, errors.StateError) as error:
            problem = str(error)
        finally:
            self._events.publish(SequenceEvent(sequence=name, action=SequenceEvent.STOP), actor)
        if problem:
            log.error("sequence failed", problem=problem)
            self._publish_failure(name, common_pb2.FATAL, f"sequence failed: {problem}", actor)
        return problem

    async def _take(self, step: Step, actor: str) -> None:
        """Take a step; its work begins before anybody can have heard of it, or of what was told just before."""
        self._events.publish(PhaseEvent(phase=step.phase, action=PhaseEvent.START), actor)
        self._events.publish(TaskEvent(task=step.task, action=TaskEvent.START), actor)
        try:
            await step.work()
        finally:
            self._events.publish(TaskEvent(task=step.task, action=TaskEvent.STOP), actor)
            self._events.publish(PhaseEvent(phase=step.phase, action=PhaseEvent.STOP), actor)

    def _publish_failure(self, name: SequenceName, code: common_pb2.Code, message: str, actor: str) -> None:
        error = common_pb2.Error(code=code, message=message)
        self._events.publish(SequenceEvent(sequence=name, action=SequenceEvent.NOOP, error=error), actor)

    async def _show(self, spec: SequenceStatusSpec) -> None:
        await self._state.modify(SequenceStatus.new(sequence_status.ID, spec))
