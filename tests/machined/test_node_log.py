"""The node's log takes lines from any thread, wakes its followers, and lets them go when the node stops."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import anyio
import pytest
from anyio import to_thread

from machined.node_log import NodeLog
from talos.log_ring import LINES_AT_A_TIME, Reading

PATIENCE_SECONDS = 10

pytestmark = pytest.mark.anyio


async def texts(readings: AsyncGenerator[Reading, None]) -> Sequence[str]:
    """Read to the end."""
    with anyio.fail_after(PATIENCE_SECONDS):
        async with aclosing(readings):
            return [line.text async for reading in readings for line in reading.lines]


async def test_who_follows_gets_what_other_threads_say_in_their_order() -> None:
    log = NodeLog()
    count = 3 * LINES_AT_A_TIME

    def say() -> None:
        for number in range(count):
            log.append("info", {"event": str(number)})

    async def say_and_close() -> None:
        await to_thread.run_sync(say)
        log.close()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(say_and_close)
        said = await texts(log.read(log.begin, follow=True))

    assert said == [str(number) for number in range(count)]


async def test_who_waits_is_woken_by_what_is_said_and_ends_with_the_node() -> None:
    log = NodeLog()
    readings = log.read(log.begin, follow=True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(to_thread.run_sync, lambda: log.append("info", {"event": "hello"}))
        first = await anext(readings)
        tasks.start_soon(to_thread.run_sync, log.append, "info", {"event": "bye"})
        second = await anext(readings)
        log.close()
        rest = await texts(readings)

    assert [line.text for line in (*first.lines, *second.lines)] == ["hello", "bye"]
    assert rest == []


async def test_who_does_not_follow_gets_what_there_is() -> None:
    log = NodeLog()
    for number in range(LINES_AT_A_TIME + 1):
        log.append("info", {"event": str(number)})

    assert len(await texts(log.read(log.begin, follow=False))) == LINES_AT_A_TIME + 1
    assert await texts(log.read(log.end, follow=False)) == []


@pytest.mark.parametrize(
    ("facts", "by_controller"),
    [
        ({"controller": "example.Shout"}, True),
        ({"component": "engine"}, True),
        ({"component": "host"}, True),
        ({"component": "door"}, False),
        ({}, False),
    ],
)
async def test_what_controllers_say_is_told_from_the_rest(facts: dict[str, str], by_controller: bool) -> None:
    log = NodeLog()

    log.append("info", {"event": "said", **facts})

    (line,) = (await anext(log.read(0, follow=False))).lines
    assert line.by_controller is by_controller


def exc_infos(error: Exception) -> Sequence[object]:
    return [error, (type(error), error, error.__traceback__), True]


@pytest.mark.parametrize("form", range(3))
async def test_an_exception_is_a_name_and_a_message_without_its_traceback(form: int) -> None:
    log = NodeLog()

    try:
        raise ValueError("no luck")
    except ValueError as error:
        log.append("error", {"event": "failed", "exc_info": exc_infos(error)[form]})

    assert await texts(log.read(0, follow=False)) == ['failed exception="ValueError: no luck"']


@pytest.mark.parametrize("nothing", [None, False, True, (None, None, None)])
async def test_a_line_about_no_exception_names_none(nothing: object) -> None:
    log = NodeLog()

    log.append("info", {"event": "said", "exc_info": nothing})

    assert await texts(log.read(0, follow=False)) == ["said"]
