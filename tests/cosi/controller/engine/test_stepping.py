"""Running a coroutine step by step changes nothing about it, and shows which step kept the event loop for itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from types import coroutine
from typing import Any

import anyio
import anyio.lowlevel
import hypothesis.strategies as st
import pytest
from hypothesis import given

from cosi.controller.engine import stepping as steps
from cosi.controller.engine.stepping import BLOCKING_SECONDS, guarded, stepping

pytestmark = pytest.mark.anyio


class Stopwatch:
    """The time as steps are measured by: it stands still, so that a busy machine makes no step a long one."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(scope="module", autouse=True)
def stopwatch() -> Iterator[Stopwatch]:
    """What all steps here are measured by."""
    with pytest.MonkeyPatch.context() as patch:
        stopwatch = Stopwatch()
        patch.setattr(steps, "time", stopwatch)
        yield stopwatch


def blocks(seconds: float) -> None:
    pytest.fail(f"a step that does nothing has blocked for {seconds} s")


@coroutine
def ask(request: object) -> Generator[object, object, object]:
    """Wait for an answer from whoever runs the coroutine."""
    return (yield request)


@given(answers=st.lists(st.integers() | st.builds(ValueError, st.text(max_size=3)), max_size=6))
def test_requests_answers_and_errors_pass_through(answers: list[int | ValueError]) -> None:
    heard: list[object] = []

    async def asking() -> str:
        for number in range(len(answers)):
            try:
                heard.append(await ask(number))
            except ValueError as error:
                heard.append(error)
        return "done"

    stepped = stepping(asking(), blocks)
    requests: list[object] = []
    result = answer_all(stepped, answers, requests)

    assert requests == list(range(len(answers)))
    assert heard == answers
    assert result == "done"


def answer_all(asking: Generator[Any, Any, str], answers: list[int | ValueError], requests: list[object]) -> str | None:
    """Answer one request after the other; return what comes out in the end."""
    try:
        requests.append(next(asking))
        for answer in answers:
            request = asking.throw(answer) if isinstance(answer, ValueError) else asking.send(answer)
            requests.append(request)
    except StopIteration as ended:
        return str(ended.value)
    return None


async def test_what_it_raises_comes_out() -> None:
    async def failing() -> None:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError("as it is")

    with pytest.raises(ZeroDivisionError, match="as it is"):
        await guarded(failing(), blocks)


async def test_a_cancellation_that_is_meant_for_the_caller_is_one() -> None:
    cleaned_up = False

    async def waiting() -> None:
        nonlocal cleaned_up
        try:
            await anyio.sleep_forever()
        finally:
            cleaned_up = True

    with anyio.move_on_after(0) as scope:
        await guarded(waiting(), blocks)

    assert scope.cancelled_caught
    assert cleaned_up


async def test_a_cancel_scope_inside_is_its_own_affair() -> None:
    async def giving_up() -> str:
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
        return "gave up"

    assert await guarded(giving_up(), blocks) == "gave up"


def test_closing_it_closes_the_coroutine() -> None:
    closed = False

    async def waiting() -> None:
        nonlocal closed
        try:
            await ask("for ever")
        finally:
            closed = True

    running = guarded(waiting(), blocks)
    running.send(None)  # no event loop runs: neither does one when the last coroutines are thrown away
    running.close()

    assert closed


@pytest.mark.parametrize("ends", [lambda: None, lambda: 1 / 0])
async def test_a_step_that_blocks_is_told_of_however_it_ends(ends: Callable[[], object], stopwatch: Stopwatch) -> None:
    told: list[float] = []

    async def blocking() -> None:
        await anyio.lowlevel.checkpoint()
        stopwatch.now += 1.5 * BLOCKING_SECONDS
        ends()

    with suppress(ZeroDivisionError):
        await guarded(blocking(), told.append)

    assert told == [pytest.approx(1.5 * BLOCKING_SECONDS)]


async def test_waiting_is_not_blocking(stopwatch: Stopwatch) -> None:
    async def waiting() -> None:
        await anyio.lowlevel.checkpoint()

    async def passing() -> None:
        stopwatch.now += 1.5 * BLOCKING_SECONDS

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(passing)
        await guarded(waiting(), blocks)


async def test_somebody_elses_cancellation_is_a_failure(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("on trio nobody but a cancel scope cancels")

    async def awaiting_what_was_cancelled() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(RuntimeError, match="cut off by a cancellation that was not meant for it") as failure:
        await guarded(awaiting_what_was_cancelled(), blocks)

    assert isinstance(failure.value.__cause__, asyncio.CancelledError)


class Odd(BaseException):
    """What nobody should raise."""


async def _exits() -> None:
    sys.exit(3)


async def _closes() -> None:
    raise GeneratorExit


async def _is_odd() -> None:
    raise Odd("odd")


async def _is_odd_in_a_group() -> None:
    raise BaseExceptionGroup("several", [Odd("odd"), ValueError("not odd")])


async def _another_loops_cancellation() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    "does", [_exits, _closes, _is_odd, _is_odd_in_a_group, _another_loops_cancellation], ids=lambda does: does.__name__
)
async def test_whatever_is_raised_that_is_no_exception_is_a_failure(does: Callable[[], Any]) -> None:
    with pytest.raises(RuntimeError) as failure:
        await guarded(does(), blocks)

    assert failure.value.__cause__ is not None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BaseExceptionGroup("in a group", [KeyboardInterrupt()])])
async def test_a_keyboard_interrupt_is_meant_for_the_process(error: BaseException) -> None:
    async def interrupted() -> None:
        raise error

    with pytest.raises(type(error)):
        await guarded(interrupted(), blocks)


async def _generates() -> Any:
    yield 1


def _returns_nothing() -> Any:
    return None


@pytest.mark.parametrize("does", [_generates, _returns_nothing], ids=lambda does: does.__name__)
async def test_what_is_no_coroutine_is_refused(does: Callable[[], Awaitable[None]]) -> None:
    with pytest.raises(TypeError, match="async def, without yield"):
        await guarded(does(), blocks)  # type: ignore[arg-type]
