"""After a watch was interrupted, everybody who reads the kind finds out what was missed."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
import pytest

from cosi.backoff import INITIAL_SECONDS, JITTER
from cosi.controller.controller import Controller
from cosi.controller.dependencies import destroy_ready, exclusive, mapped, primary, weak
from cosi.controller.engine.engine import Engine
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Kind, Metadata, Pointer
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.resources import IntResource, PathResource, StrResource, integer, path, string
from tests.cosi.controller.engine.started import QWatcher, Watcher, started
from tests.cosi.controller.engine.weather import Weather

pytestmark = pytest.mark.anyio

LONG_ENOUGH_SECONDS = INITIAL_SECONDS * (1 + JITTER)
"""After which a watch that broke once is opened again."""


@pytest.fixture(params=["polled", "awaited"])
def weather(request: pytest.FixtureRequest) -> Weather:
    """A state in this process, or one that is like a remote one."""
    return Weather(MemoryState(), polled=request.param == "polled")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(anyio.wait_all_tasks_blocked)


class Copying(Controller):
    """Names every number, and takes back the names of those that are gone."""

    name = "test.Copying"
    inputs = (weak(IntResource), destroy_ready(StrResource))
    outputs = (exclusive(StrResource),)

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            async with runtime.tracked_outputs(StrResource):
                for number in await runtime.list(IntResource):
                    await runtime.modify(string(number.id, str(number.spec.value)))


class Marking(QController):
    """Says of each number whether there is a path of the same name."""

    name = "test.Marking"
    inputs = (primary(IntResource), mapped(PathResource))
    outputs = (exclusive(StrResource),)

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        found = await runtime.find(PathResource, item.id)
        await runtime.modify(string(item.id, "lost" if found is None else "found"))

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        return [IntResource.pointer_to(changed.id)]


async def words(state: State) -> dict[str, str]:
    """Return all texts there are."""
    return {each.id: each.spec.value for each in await state.list(StrResource)}


@pytest.mark.parametrize("cached", [(), (IntResource.kind(), StrResource.kind())], ids=["uncached", "cached"])
async def test_a_controller_sees_what_was_missed(
    weather: Weather, clock: ManualClock, cached: tuple[Kind, ...]
) -> None:
    state, engine = State(weather), Engine(weather, clock=clock, cached=cached)
    engine.register(Copying())
    await state.create(integer("lost", 1))
    async with started(engine):
        weather.break_watches()
        await anyio.wait_all_tasks_blocked()
        await state.destroy(IntResource.pointer_to("lost"))
        await state.create(integer("found", 2))
        await clock.advance(LONG_ENOUGH_SECONDS)

        assert await words(state) == {"found": "2"}


@pytest.mark.parametrize("cached", [(), (IntResource.kind(), PathResource.kind())], ids=["uncached", "cached"])
async def test_a_queue_controller_sees_mapped_resources_that_came_and_went(
    weather: Weather, clock: ManualClock, cached: tuple[Kind, ...]
) -> None:
    state, engine = State(weather), Engine(weather, clock=clock, cached=cached)
    engine.register(Marking())
    await state.create(integer("leaves", 1))
    await state.create(path("leaves"))
    await state.create(integer("comes", 2))
    async with started(engine):
        await anyio.wait_all_tasks_blocked()
        before = await words(state)
        weather.break_watches(only=PathResource.kind())
        await anyio.wait_all_tasks_blocked()
        await state.destroy(PathResource.pointer_to("leaves"))
        await state.create(path("comes"))
        await clock.advance(LONG_ENOUGH_SECONDS)

        assert before == {"leaves": "found", "comes": "lost"}
        assert await words(state) == {"leaves": "lost", "comes": "found"}


@pytest.mark.parametrize("cached", [(), (IntResource.kind(),)], ids=["uncached", "cached"])
async def test_a_queue_controller_sees_items_that_came(
    weather: Weather, clock: ManualClock, cached: tuple[Kind, ...]
) -> None:
    state, engine = State(weather), Engine(weather, clock=clock, cached=cached)
    engine.register(Marking())
    async with started(engine):
        weather.break_watches(only=IntResource.kind())
        await anyio.wait_all_tasks_blocked()
        await state.create(integer("new", 3))
        await clock.advance(LONG_ENOUGH_SECONDS)

        assert await words(state) == {"new": "lost"}


async def test_an_overrun_wakes_everybody_who_reads_the_kind_and_nobody_else() -> None:
    state = State(MemoryState(history=4, gap=1))
    reader, other = Watcher(), Watcher(name="test.Other", inputs=(weak(PathResource),))
    queue = QWatcher(inputs=(primary(IntResource),))
    engine = Engine(state)
    for controller in (reader, other, queue):
        engine.register(controller)
    async with started(engine):
        await anyio.wait_all_tasks_blocked()
        for number in range(20):
            await state.create(integer(str(number), number))
        await anyio.wait_all_tasks_blocked()

    assert sorted(set(queue.items)) == sorted(str(number) for number in range(20))
    assert reader.reconciles >= 2
    assert other.reconciles == 1


async def test_a_gap_in_one_kind_is_none_in_another() -> None:
    state = State(MemoryState(history=4, gap=1))
    queue = QWatcher()
    engine = Engine(state)
    engine.register(queue)
    await state.create(path("one"))
    async with started(engine):
        await anyio.wait_all_tasks_blocked()
        for number in range(20):
            await state.create(integer(str(number), number))
        await anyio.wait_all_tasks_blocked()

    assert queue.mapped == []


async def test_outputs_are_taken_back_although_the_cache_does_not_know_them_yet(clock: ManualClock) -> None:
    weather = Weather(MemoryState())
    state, engine = State(weather), Engine(weather, clock=clock, cached=[StrResource.kind()])
    engine.register(Copying())
    async with started(engine):
        await anyio.wait_all_tasks_blocked()
        weather.stall(StrResource.kind())
        await state.create(integer("one", 1))
        await anyio.wait_all_tasks_blocked()
        before = await words(state)
        await state.destroy(IntResource.pointer_to("one"))
        await anyio.wait_all_tasks_blocked()
        weather.flow()
        await anyio.wait_all_tasks_blocked()

        assert before == {"one": "1"}
        assert await words(state) == {}
