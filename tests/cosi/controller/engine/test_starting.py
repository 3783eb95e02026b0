"""Controllers start when they may, once, and whoever can't be let in leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, mapped, primary, shared, weak
from cosi.controller.engine.engine import Engine
from cosi.controller.runtime import Runtime
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import IntResource, PathResource, StrResource, integer
from tests.cosi.controller.engine.started import QWatcher, Watcher, started
from tests.cosi.controller.engine.weather import Weather

pytestmark = pytest.mark.anyio

AnyWatcher = Watcher | QWatcher


def work(controller: AnyWatcher) -> int:
    """Return how often a controller was woken."""
    return controller.reconciles if isinstance(controller, Watcher) else len(controller.items)


async def test_it_has_started_when_every_watch_is_open() -> None:
    weather, clock = Weather(MemoryState()), ManualClock(anyio.wait_all_tasks_blocked)
    engine, controller = Engine(weather, clock=clock), Watcher()
    engine.register(controller)
    weather.refuse(1)

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.wait_all_tasks_blocked()
            starts_before = controller.starts
            await clock.advance(1.0)
            tasks.cancel_scope.cancel()

    assert (starts_before, controller.starts) == (0, 1)


@pytest.mark.parametrize("make", [Watcher, QWatcher])
async def test_who_comes_while_watches_are_opened_is_run_once(make: Callable[[], AnyWatcher]) -> None:
    weather, clock = Weather(MemoryState()), ManualClock(anyio.wait_all_tasks_blocked)
    engine, controller = Engine(weather, clock=clock), make()
    engine.register(Watcher(name="test.First"))
    await weather.create(integer("one", 1))
    weather.refuse(1)

    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run)
            await anyio.wait_all_tasks_blocked()
            engine.register(controller)
            await clock.advance(1.0)
            tasks.cancel_scope.cancel()

    assert work(controller) == 1


@pytest.mark.parametrize("make", [Watcher, QWatcher])
async def test_who_comes_while_the_engine_runs_waits_for_no_watch_but_its_own(make: Callable[[], AnyWatcher]) -> None:
    weather = Weather(MemoryState())
    engine, controller = Engine(weather, clock=ManualClock()), make()
    await weather.create(integer("one", 1))

    async with started(engine):
        weather.refuse(1)
        engine.register(Watcher(name="test.Waiting", inputs=(weak(StrResource),)))
        await anyio.wait_all_tasks_blocked()
        engine.register(controller)
        await anyio.wait_all_tasks_blocked()

    assert work(controller) == 1


async def test_who_changes_its_inputs_waits_for_no_watch_but_its_own() -> None:
    weather, reconciles = Weather(MemoryState()), list[int]()

    class Rewiring(Controller):
        name = "test.Rewiring"

        async def run(self, runtime: Runtime) -> None:
            await runtime.update_inputs((weak(IntResource),))
            async for _ in runtime.reconcile():
                reconciles.append(len(await runtime.list(IntResource)))

    engine = Engine(weather, clock=ManualClock())
    async with started(engine):
        weather.refuse(1)
        engine.register(Watcher(name="test.Waiting", inputs=(weak(StrResource),)))
        await anyio.wait_all_tasks_blocked()
        engine.register(Rewiring())
        await anyio.wait_all_tasks_blocked()
        await weather.create(integer("one", 1))
        await anyio.wait_all_tasks_blocked()

    assert reconciles == [0, 1]


@pytest.mark.parametrize("controller", [None, Watcher(inputs=()), Watcher()], ids=["empty", "blind", "ordinary"])
async def test_an_engine_runs_once(controller: Controller | None) -> None:
    engine = Engine(MemoryState())
    if controller is not None:
        engine.register(controller)
    async with started(engine):
        pass

    with pytest.raises(RuntimeError, match="an engine runs once"), anyio.fail_after(WAIT_SECONDS):
        await engine.run()


class Idle(QWatcher):
    """Wants to reconcile nothing at once."""

    concurrency = 0


@pytest.mark.parametrize(
    ("controller", "problem"),
    [
        (Watcher(name="test.Present"), "a controller named test.Present is registered already"),
        (QWatcher(name="test.Present"), "a controller named test.Present is registered already"),
        (Watcher(outputs=(exclusive(StrResource),)), "test.Watcher can't write Strs.test.cosi.dev"),
        (QWatcher(outputs=(shared(StrResource),)), "test.QWatcher can't write Strs.test.cosi.dev"),
        (Watcher(inputs=(primary(IntResource),)), "has no queue, so its input Ints.test.cosi.dev can't be primary"),
        (QWatcher(inputs=(weak(IntResource),)), "has a queue, so its input Ints.test.cosi.dev can't be weak"),
        (Idle(), "test.QWatcher needs a concurrency of 1 or more"),
    ],
    ids=["name", "queue's name", "output", "queue's output", "input", "queue's input", "concurrency"],
)
@pytest.mark.parametrize("running", [False, True], ids=["before", "running"])
async def test_who_can_not_be_let_in_leaves_no_trace(controller: AnyWatcher, problem: str, running: bool) -> None:
    state = State(MemoryState())
    engine, present = Engine(state), Watcher(name="test.Present", outputs=(exclusive(StrResource),))
    engine.register(present)

    def register() -> None:
        edges = engine.graph.edges()
        with pytest.raises(ValueError, match=problem):
            engine.register(controller)
        assert list(engine.counters) == ["test.Present"]
        assert engine.graph.edges() == edges

    if not running:
        register()
    async with started(engine):
        if running:
            register()
        await state.create(integer("one", 1))
        await anyio.wait_all_tasks_blocked()

    assert work(controller) == 0
    assert present.reconciles > 0


async def test_an_input_that_only_a_queue_has_can_not_be_taken_up_later() -> None:
    failures: list[Exception] = []

    class Greedy(Controller):
        name = "test.Greedy"

        async def run(self, runtime: Runtime) -> None:
            await runtime.update_inputs((mapped(PathResource),))

    engine = Engine(MemoryState(), clock=ManualClock(), on_failure=lambda name, what, error: failures.append(error))
    engine.register(Greedy())
    async with started(engine):
        await anyio.wait_all_tasks_blocked()

    assert [str(error) for error in failures] == [
        "controller test.Greedy has no queue, so its input Paths.test.cosi.dev can't be mapped"
    ]
    assert engine.graph.inputs_of("test.Greedy") == ()
