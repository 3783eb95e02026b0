"""Events are told to all who follow, each from where it wants to start; who is too slow is let go."""

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import pytest

from machined.events import Events
from talos._pb.machine.machine_pb2 import TaskEvent
from talos.event_log import Event

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0


def publish(events: Events, *tasks: str, actor: str = "") -> None:
    for task in tasks:
        events.publish(TaskEvent(task=task), actor)


def tasks_of(events: Sequence[Event]) -> list[str]:
    return [TaskEvent.FromString(event.value).task for event in events]


async def test_all_that_is_pending_comes_at_once_and_then_what_happens() -> None:
    events = Events()
    publish(events, "a", "b")

    with anyio.fail_after(PATIENCE_SECONDS):
        following = events.follow(0)
        first = await anext(following)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.lowlevel.checkpoint)
            publish(events, "c", actor="me")
        second = await anext(following)
        await following.aclose()

    assert tasks_of(first) == ["a", "b"]
    assert tasks_of(second) == ["c"]
    assert (second[0].actor, second[0].type_url) == ("me", "talos/runtime/machine.TaskEvent")


async def test_a_closed_log_is_read_to_its_end_and_tells_nothing_more() -> None:
    events = Events()
    publish(events, "a")
    events.close()
    publish(events, "b")

    with anyio.fail_after(PATIENCE_SECONDS):
        read = [batch async for batch in events.follow(0)]

    assert [tasks_of(batch) for batch in read] == [["a"]]


async def test_who_is_too_slow_is_let_go() -> None:
    events = Events()
    publish(events, *map(str, range(events.log.capacity)))

    with anyio.fail_after(PATIENCE_SECONDS):
        assert [batch async for batch in events.follow(0)] == []


async def test_the_node_waits_for_followers_to_come_back_and_for_nobody_if_there_are_none() -> None:
    events = Events()
    publish(events, "a")
    waited = anyio.Event()

    async def wait() -> None:
        await events.until_followed_again()
        waited.set()

    with anyio.fail_after(PATIENCE_SECONDS):
        await wait()
        waited = anyio.Event()
        async with anyio.create_task_group() as tasks:
            first = events.follow(0)
            await anext(first)
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            await first.aclose()
            assert not waited.is_set()
            again = events.follow(0)
            await anext(again)
            await waited.wait()
            await again.aclose()
