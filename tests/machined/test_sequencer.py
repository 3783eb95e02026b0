"""One sequence runs at a time; each step is told, and who may take over from whom is Talos's table."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from google.protobuf.message import Message

from cosi.state.event import Event
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from machined.background import Background
from machined.events import Events
from machined.sequencer import SequenceFailed, Sequencer, Step
from resources import sequence_status
from resources.sequence_status import SequenceName, SequenceStatus
from talos._pb.common import common_pb2
from talos._pb.machine.machine_pb2 import PhaseEvent, SequenceEvent, TaskEvent
from tests.talosctl.talosctl import EVENTS

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0


class Bench:
    """A sequencer, and what it has told."""

    def __init__(self) -> None:
        self.state = State(MemoryState())
        self.events = Events()
        self.background = Background()
        self.sequencer = Sequencer(self.state, self.events, self.background)
        self.waiting = anyio.Event()

    async def wait(self) -> None:
        """A step that takes for ever."""
        self.waiting.set()
        await anyio.sleep_forever()

    async def until(self, wanted: Message, actor: str = "") -> None:
        """Wait until something has been told."""
        async for batch in self.events.follow(0):
            if (wanted, actor) in [(EVENTS[event.type_url].FromString(event.value), event.actor) for event in batch]:
                return

    def told(self) -> list[Message]:
        return [EVENTS[event.type_url].FromString(event.value) for event in self.events.log.read(0)]


@asynccontextmanager
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    with anyio.fail_after(PATIENCE_SECONDS):
        async with anyio.create_task_group() as tasks:
            await tasks.start(made.background.run)
            yield made
            tasks.cancel_scope.cancel()


async def nothing() -> None:
    return


def _is_over(event: Event) -> bool:
    return isinstance(event.resource, SequenceStatus) and event.resource.spec.sequence is SequenceName.NONE


def ended(name: SequenceName) -> SequenceEvent:
    return SequenceEvent(sequence=name, action=SequenceEvent.STOP)


def failed(name: SequenceName, code: common_pb2.Code, message: str) -> SequenceEvent:
    error = common_pb2.Error(code=code, message=message)
    return SequenceEvent(sequence=name, action=SequenceEvent.NOOP, error=error)


async def test_each_step_is_told_in_the_name_of_the_actor() -> None:
    async with bench() as at:
        at.sequencer.start(SequenceName.UPGRADE, [Step("upgrade", "install", nothing)], actor="me")
        await at.until(ended(SequenceName.UPGRADE), "me")

        assert at.told() == [
            SequenceEvent(sequence="upgrade", action=SequenceEvent.START),
            PhaseEvent(phase="upgrade", action=PhaseEvent.START),
            TaskEvent(task="install", action=TaskEvent.START),
            TaskEvent(task="install", action=TaskEvent.STOP),
            PhaseEvent(phase="upgrade", action=PhaseEvent.STOP),
            ended(SequenceName.UPGRADE),
        ]


async def test_a_step_that_fails_ends_the_sequence_and_the_status_says_why() -> None:
    async def fail() -> None:
        raise SequenceFailed("no room")

    async with bench() as at:
        at.sequencer.start(SequenceName.UPGRADE, [Step("a", "a", fail), Step("b", "b", nothing)], actor="me")
        await at.until(failed(SequenceName.UPGRADE, common_pb2.FATAL, "sequence failed: no room"), "me")
        shown = await at.state.watch_for(SequenceStatus.pointer_to(sequence_status.ID), _is_over)

        assert isinstance(shown.resource, SequenceStatus)
        assert shown.resource.spec.problem == "no room"
        assert not [told for told in at.told() if isinstance(told, TaskEvent) and told.task == "b"]


async def test_what_may_not_take_over_is_not_begun() -> None:
    async with bench() as at:
        at.sequencer.start(SequenceName.UPGRADE, [Step("wait", "wait", at.wait)])
        await at.waiting.wait()
        at.sequencer.start(SequenceName.REBOOT, [Step("reboot", "reboot", nothing)], actor="me")
        await at.until(failed(SequenceName.REBOOT, common_pb2.LOCKED, "sequence not started: locked"), "me")

        status = await at.state.get(SequenceStatus, sequence_status.ID)
        assert (status.spec.sequence, status.spec.phase) == (SequenceName.UPGRADE, "wait")


@pytest.mark.parametrize(
    ("running", "asked", "told_to"),
    [
        (SequenceName.BOOT, SequenceName.REBOOT, False),
        (SequenceName.BOOT, SequenceName.UPGRADE, False),
        (SequenceName.REBOOT, SequenceName.REBOOT, False),
        (SequenceName.UPGRADE, SequenceName.SHUTDOWN, True),
    ],
)
async def test_what_may_take_over_cancels_what_runs(running: SequenceName, asked: SequenceName, told_to: bool) -> None:
    async with bench() as at:
        at.sequencer.start(running, [Step("wait", "wait", at.wait)], actor="first")
        await at.waiting.wait()
        at.sequencer.start(asked, [Step("do", "do", nothing)], actor="second", take_over=told_to)

        await at.until(failed(running, common_pb2.CANCELED, "sequence failed: context canceled"), "first")
        await at.until(ended(asked), "second")
