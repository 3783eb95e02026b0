"""Whatever a controller does wrong is its own affair: it is put down to it, and the others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from copy import copy
from typing import Any

import anyio
import pytest
from structlog.testing import capture_logs

from cosi.controller.controller import Controller
from cosi.controller.engine.engine import Engine
from cosi.controller.engine.stepping import BLOCKING_SECONDS
from cosi.controller.outcome import Retry
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Metadata, Pointer
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.resources import integer, path
from tests.cosi.controller.engine.started import QWatcher, Watcher, started

pytestmark = pytest.mark.anyio


class Odd(BaseException):
    """What nobody should raise."""


ERRORS = [
    RuntimeError("an error"),
    SystemExit(1),
    GeneratorExit(),
    Odd("odd"),
    BaseExceptionGroup("several", [Odd("odd"), ValueError("not odd")]),
    asyncio.CancelledError(),
]


class Misbehaving(QWatcher):
    """Raises wherever it is asked to do something."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(name="test.Misbehaving")
        self._error = error

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        raise copy(self._error)

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Sequence[Pointer]:
        raise copy(self._error)

    async def run_hook(self, runtime: QRuntime) -> None:
        raise copy(self._error)


class Failing(Controller):
    """Raises at once."""

    name = "test.Failing"

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def run(self, runtime: Runtime) -> None:
        raise copy(self._error)


class NoCoroutine(Failing):
    """Does so before there is anything to wait for."""

    def run(self, runtime: Runtime) -> Any:
        raise copy(self._error)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_whatever_controllers_raise_is_put_down_to_them(error: BaseException) -> None:
    failures: list[tuple[str, str]] = []
    state, other = State(MemoryState()), Watcher(name="test.Other")
    engine = Engine(state, clock=ManualClock(), on_failure=lambda name, what, error: failures.append((name, what)))
    for controller in (Misbehaving(error), Failing(error), other):
        engine.register(controller)

    async with started(engine):
        await state.create(integer("one", 1))
        await state.create(path("one"))
        await anyio.wait_all_tasks_blocked()
        before = other.reconciles
        await state.create(integer("two", 2))
        await anyio.wait_all_tasks_blocked()

    assert other.reconciles == before + 1
    assert sorted(set(failures)) == [
        ("test.Failing", "controller failed"),
        ("test.Misbehaving", "mapping failed"),
        ("test.Misbehaving", "reconcile failed"),
        ("test.Misbehaving", "run hook failed"),
    ]


@pytest.mark.parametrize("make", [Failing, NoCoroutine])
async def test_who_fails_at_once_is_started_again_later_each_time(make: Callable[[BaseException], Controller]) -> None:
    clock, waits = ManualClock(anyio.wait_all_tasks_blocked), list[float]()
    engine = Engine(MemoryState(), clock=clock)
    engine.register(make(RuntimeError("as requested")))
    async with started(engine):
        for _ in range(12):
            await anyio.wait_all_tasks_blocked()
            assert clock.next_due is not None
            waits.append(clock.next_due)
            await clock.advance(clock.next_due)

    assert max(waits[:3]) < min(waits[-3:])


async def test_who_forgets_what_a_coroutine_is_is_told() -> None:
    failures: list[Exception] = []

    class Generating(Controller):
        name = "test.Generating"

        async def run(self, runtime: Runtime) -> AsyncIterator[None]:  # type: ignore[override]
            yield

    engine = Engine(MemoryState(), clock=ManualClock(), on_failure=lambda name, what, error: failures.append(error))
    engine.register(Generating())
    async with started(engine):
        await anyio.wait_all_tasks_blocked()

    assert "a controller is written with async def, without yield" in str(failures[0])


async def test_what_was_to_be_expected_is_logged_in_a_line_and_the_rest_with_a_traceback() -> None:
    with capture_logs() as logs:
        for error in (Retry("the registry is away"), RuntimeError("a bug")):
            engine = Engine(MemoryState(), clock=ManualClock())
            engine.register(Failing(error))
            async with started(engine):
                await anyio.wait_all_tasks_blocked()

    assert [(log["event"], log["log_level"], "exc_info" in log) for log in logs] == [
        ("controller failed", "warning", False),
        ("controller failed", "error", True),
    ]


async def block() -> None:
    time.sleep(1.2 * BLOCKING_SECONDS)


class BlockingHook(QWatcher):
    """Blocks in its run hook."""

    async def run_hook(self, runtime: QRuntime) -> None:
        await block()


@pytest.mark.parametrize(
    "make", [lambda: Watcher(block), lambda: QWatcher(block), lambda: QWatcher(maps=block), BlockingHook],
    ids=["controller", "queue", "map", "hook"],
)  # fmt: skip
async def test_who_keeps_the_loop_for_itself_is_named_in_the_log(make: Callable[[], Watcher | QWatcher]) -> None:
    state, controller = State(MemoryState()), make()
    engine = Engine(state)
    engine.register(controller)
    with capture_logs() as logs:
        async with started(engine):
            if isinstance(controller, QWatcher):
                await state.create(path("one"))
            await anyio.wait_all_tasks_blocked()

    blocked = [log for log in logs if log["event"].startswith("controller blocked the event loop")]
    assert blocked
    assert {log["log_level"] for log in blocked} == {"warning"}
    assert min(log["milliseconds"] for log in blocked) >= 1000 * BLOCKING_SECONDS
