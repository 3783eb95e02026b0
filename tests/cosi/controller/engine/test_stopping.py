"""Stopping takes everybody along, and who does not come is named in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import anyio
import pytest
from anyio import to_thread
from structlog.testing import capture_logs

from cosi.controller.engine.engine import Engine
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import integer
from tests.cosi.controller.engine.started import QWatcher, Watcher, started

pytestmark = pytest.mark.anyio

SOON_SECONDS = 0.05
"""How long controllers get to stop here."""

Holding = Callable[[threading.Event], Coroutine[Any, Any, None]]


async def swallow_cancellations(released: threading.Event) -> None:
    with anyio.CancelScope(shield=True):
        await to_thread.run_sync(released.wait, WAIT_SECONDS)


async def block_in_a_thread(released: threading.Event) -> None:
    await to_thread.run_sync(released.wait, WAIT_SECONDS)


@pytest.mark.parametrize("holding", [swallow_cancellations, block_in_a_thread])
@pytest.mark.parametrize("make", [Watcher, QWatcher])
async def test_who_does_not_stop_in_time_is_named(make: Callable[..., Watcher | QWatcher], holding: Holding) -> None:
    released, calls = threading.Event(), list[str]()

    def on_overdue() -> None:
        calls.append(threading.current_thread().name)
        released.set()

    async def hold() -> None:
        await holding(released)

    state = State(MemoryState())
    engine = Engine(state, shutdown_seconds=SOON_SECONDS, on_overdue=on_overdue)
    engine.register(make(hold, name="test.Late"))
    engine.register(Watcher(name="test.InTime"))
    await state.create(integer("one", 1))

    with capture_logs() as logs:
        async with started(engine):
            await anyio.wait_all_tasks_blocked()

    assert [(log["event"], log["controllers"]) for log in logs if log["log_level"] == "error"] == [
        ("controllers did not stop in time", ["test.Late"])
    ]
    assert len(calls) == 1
    assert calls != [threading.main_thread().name]


async def test_who_stops_in_time_is_not_waited_for() -> None:
    calls: list[None] = []
    engine = Engine(MemoryState(), shutdown_seconds=SOON_SECONDS, on_overdue=lambda: calls.append(None))
    engine.register(Watcher())
    engine.register(QWatcher())
    async with started(engine):
        await anyio.wait_all_tasks_blocked()
    await anyio.sleep(2 * SOON_SECONDS)

    assert calls == []


async def test_an_engine_that_is_stopped_while_it_starts_just_stops() -> None:
    engine, controller = Engine(MemoryState()), Watcher()
    engine.register(controller)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await engine.run()

    assert scope.cancelled_caught
    assert controller.starts == 0


class Messy(QWatcher):
    """Fails when it is shut down."""

    def __init__(self, error: BaseException, *, name: str) -> None:
        super().__init__(name=name)
        self._error = error

    def shutdown_hook(self) -> None:
        super().shutdown_hook()
        raise self._error


async def test_shutdown_hooks_that_fail_keep_nobody_from_shutting_down() -> None:
    failures: list[tuple[str, str]] = []
    controllers: Sequence[QWatcher] = (
        QWatcher(name="test.Tidy"),
        Messy(RuntimeError("as requested"), name="test.Raises"),
        Messy(SystemExit(1), name="test.Exits"),
        QWatcher(name="test.Orderly"),
    )
    engine = Engine(
        MemoryState(),
        clock=ManualClock(),
        on_failure=lambda name, what, error: failures.append((name, what)),
    )
    for controller in controllers:
        engine.register(controller)
    async with started(engine):
        before = [controller.shut_down for controller in controllers]

    assert before == [0, 0, 0, 0]
    assert [controller.shut_down for controller in controllers] == [1, 1, 1, 1]
    assert sorted(failures) == [("test.Exits", "shutdown hook failed"), ("test.Raises", "shutdown hook failed")]


async def test_a_shutdown_hook_finds_no_reconcile_going_on() -> None:
    inside: list[str] = []

    class Watchful(QWatcher):
        def shutdown_hook(self) -> None:
            super().shutdown_hook()
            assert inside == ["entered", "left"]

    async def linger() -> None:
        inside.append("entered")
        try:
            await anyio.sleep_forever()
        finally:
            inside.append("left")

    failures: list[Exception] = []
    state = State(MemoryState())
    controller = Watchful(linger)
    engine = Engine(state, on_failure=lambda name, what, error: failures.append(error))
    engine.register(controller)
    await state.create(integer("one", 1))
    async with started(engine):
        await anyio.wait_all_tasks_blocked()

    assert controller.shut_down == 1
    assert failures == []


@pytest.mark.parametrize("error", [RuntimeError("while tidying up"), SystemExit(1)], ids=["error", "exit"])
@pytest.mark.parametrize("make", [Watcher, QWatcher])
async def test_who_fails_while_it_is_stopped_keeps_nobody_from_stopping(
    make: Callable[..., Watcher | QWatcher], error: BaseException
) -> None:
    async def fail_at_the_end() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise error

    state = State(MemoryState())
    engine, other = Engine(state), QWatcher(name="test.Other")
    engine.register(make(fail_at_the_end))
    engine.register(other)
    await state.create(integer("one", 1))
    async with started(engine):
        await anyio.wait_all_tasks_blocked()

    assert other.shut_down == 1
