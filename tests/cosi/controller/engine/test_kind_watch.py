"""The engine's watch of a kind tells of each change, and when it can't, that something may be missing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from structlog.testing import capture_logs

from cosi.backoff import INITIAL_SECONDS, JITTER, MULTIPLIER
from cosi.controller.engine.cache import KindCache
from cosi.controller.engine.kind_watch import KindWatch
from cosi.journal.records import Change
from cosi.resource.metadata import Kind
from cosi.resource.query import ALL
from cosi.state import errors
from cosi.state.core import CoreState
from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from cosi.testing.listener import WAIT_SECONDS
from cosi.testing.resources import PathResource, PathSpec, path
from tests.cosi.controller.engine.weather import Weather

pytestmark = pytest.mark.anyio

IDS = ("a", "b", "c")
KIND = PathResource.kind()

bursts = st.lists(
    st.lists(st.tuples(st.sampled_from(["write", "destroy"]), st.sampled_from(IDS)), min_size=1, max_size=8), max_size=4
)


class Heard:
    """What a watch has told."""

    def __init__(self, cache: KindCache | None = None) -> None:
        self.cache = cache
        self.changes: list[Change] = []
        self.cached: list[int | None] = []
        self.resyncs: list[list[str]] = []

    def deliver(self, kind: Kind, change: Change) -> None:
        assert kind == KIND
        self.changes.append(change)
        if self.cache is not None:
            known = self.cache._resources.get(change.metadata.id)
            self.cached.append(None if known is None else known.metadata.version)

    def resync(self, kind: Kind) -> None:
        assert kind == KIND
        self.resyncs.append([] if self.cache is None else sorted(self.cache._resources))

    @property
    def ids(self) -> Sequence[str]:
        return [change.metadata.id for change in self.changes]


@asynccontextmanager
async def watching(core: CoreState, clock: ManualClock, heard: Heard) -> AsyncIterator[KindWatch]:
    """Watch while the body runs."""
    watch = KindWatch(core, KIND, heard.cache, clock, deliver=heard.deliver, resync=heard.resync)
    with anyio.fail_after(WAIT_SECONDS):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await anyio.wait_all_tasks_blocked()
            yield watch
            tasks.cancel_scope.cancel()


@pytest.fixture(params=["polled", "awaited"])
def weather(request: pytest.FixtureRequest) -> Weather:
    """A state in this process, or one that is like a remote one."""
    return Weather(MemoryState(), polled=request.param == "polled")


async def apply(state: State, action: str, id: str) -> PathResource | None:
    """Write or destroy a path; return what there was to be heard of."""
    found = await state.find(PathResource, id)
    if action == "write":
        return await (state.create(path(id)) if found is None else state.update(found.with_spec(PathSpec(path=id))))
    if found is not None:
        await state.destroy(found.pointer)
    return found


@settings(max_examples=60)
@given(bursts=bursts, polled=st.booleans())
async def test_what_happened_since_the_last_look_is_one_change_for_each_resource(
    bursts: Sequence[Sequence[tuple[str, str]]], polled: bool
) -> None:
    weather, heard = Weather(MemoryState(), polled=polled), Heard()
    async with watching(weather, ManualClock(), heard):
        for burst in bursts:
            weather.stall()
            last: dict[str, tuple[EventType, int | None]] = {}
            for action, id in burst:
                created = await State(weather).find(PathResource, id) is None
                told = await apply(State(weather), action, id)
                if told is not None:
                    last.pop(id, None)
                    happened = EventType.CREATED if created else EventType.UPDATED
                    last[id] = (EventType.DESTROYED if action == "destroy" else happened, told.metadata.version)
            heard.changes.clear()
            weather.flow()
            await anyio.wait_all_tasks_blocked()

            assert [(change.metadata.id, change.type, change.metadata.version) for change in heard.changes] == [
                (id, *change) for id, change in last.items()
            ]


async def test_a_change_after_a_quiet_turn_is_told_while_it_is_written() -> None:
    state, heard = State(MemoryState()), Heard()
    async with watching(state, ManualClock(), heard) as watch:
        await state.create(path("a"))
        at_once = heard.ids
        await state.create(path("b"))
        same_turn, caught_up = heard.ids, watch.caught_up
        await anyio.wait_all_tasks_blocked()

        assert (at_once, same_turn, caught_up) == (["a"], ["a"], False)
        assert heard.ids == ["a", "b"]
        assert watch.caught_up


async def test_it_is_open_when_nothing_is_missed_any_more(weather: Weather) -> None:
    clock, heard = ManualClock(anyio.wait_all_tasks_blocked), Heard()
    weather.refuse(1)
    async with watching(weather, clock, heard) as watch:
        opened_before = watch.opened.is_set()
        await State(weather).create(path("before"))
        await clock.advance(INITIAL_SECONDS * (1 + JITTER))
        await State(weather).create(path("after"))
        await anyio.wait_all_tasks_blocked()

        assert not opened_before
        assert watch.opened.is_set()
        assert heard.ids == ["after"]
        assert heard.resyncs == []


async def test_a_watch_that_breaks_tells_the_rest_and_is_opened_again_with_a_resync(weather: Weather) -> None:
    clock, heard, state = ManualClock(anyio.wait_all_tasks_blocked), Heard(), State(weather)
    async with watching(weather, clock, heard):
        weather.stall()
        await state.create(path("told"))
        weather.break_watches()
        weather.flow()
        await anyio.wait_all_tasks_blocked()
        await state.create(path("missed"))
        resyncs_before = len(heard.resyncs)
        await clock.advance(INITIAL_SECONDS * (1 + JITTER))
        await state.create(path("told again"))
        await anyio.wait_all_tasks_blocked()

        assert heard.ids == ["told", "told again"]
        assert (resyncs_before, len(heard.resyncs)) == (0, 1)


async def test_a_watch_that_just_ends_is_opened_again(weather: Weather) -> None:
    clock, heard = ManualClock(anyio.wait_all_tasks_blocked), Heard()
    async with watching(weather, clock, heard):
        weather.end_watches()
        await clock.advance(INITIAL_SECONDS * (1 + JITTER))

        assert weather.openings == 2
        assert len(heard.resyncs) == 1


async def test_who_was_too_slow_looks_again_at_once(weather: Weather) -> None:
    clock, heard = ManualClock(), Heard()
    async with watching(weather, clock, heard):
        weather.break_watches(errors.Overrun(KIND, end=9, position=0, capacity=4))
        await anyio.wait_all_tasks_blocked()

        assert len(heard.resyncs) == 1


async def test_an_overrun_of_a_state_in_this_process_is_one() -> None:
    state, clock, heard = State(MemoryState(history=4, gap=1)), ManualClock(), Heard()
    async with watching(state, clock, heard):
        for number in range(20):
            await state.create(path(str(number)))
        await anyio.wait_all_tasks_blocked()
        await state.create(path("after"))
        await anyio.wait_all_tasks_blocked()

        assert clock.now() == 0
        assert len(heard.resyncs) == 1
        assert heard.ids == ["0", "after"]


async def test_the_log_says_what_the_watch_said(weather: Weather) -> None:
    clock = ManualClock(anyio.wait_all_tasks_blocked)
    async with watching(weather, clock, Heard()):
        with capture_logs() as logs:
            weather.break_watches(errors.AccessDenied("not any more"))
            await anyio.wait_all_tasks_blocked()

    assert [(log["event"], log["error"], log["type"]) for log in logs] == [("watch failed", "not any more", KIND.type)]


@pytest.mark.parametrize("how", ["refused", "broken at once"])
async def test_a_watch_that_keeps_failing_is_opened_less_and_less_often(weather: Weather, how: str) -> None:
    clock, heard, waits = ManualClock(anyio.wait_all_tasks_blocked), Heard(), list[float]()
    if how == "refused":
        weather.refuse(5)
    async with watching(weather, clock, heard):
        for _ in range(5):
            weather.break_watches()
            await anyio.wait_all_tasks_blocked()
            assert clock.next_due is not None
            waits.append(clock.next_due)
            await clock.advance(clock.next_due)

    for times, wait in enumerate(waits):
        interval = INITIAL_SECONDS * MULTIPLIER**times
        assert interval * (1 - JITTER) <= wait <= interval * (1 + JITTER)


async def test_a_watch_that_has_told_something_begins_with_a_short_wait_again(weather: Weather) -> None:
    clock, heard = ManualClock(anyio.wait_all_tasks_blocked), Heard()
    weather.refuse(10)
    async with watching(weather, clock, heard):
        while weather.openings <= 10:
            assert clock.next_due is not None
            await clock.advance(clock.next_due)
        await State(weather).create(path("a"))
        await anyio.wait_all_tasks_blocked()
        weather.break_watches()
        await anyio.wait_all_tasks_blocked()

        assert clock.next_due is not None
        assert clock.next_due <= INITIAL_SECONDS * (1 + JITTER)


async def test_the_cache_knows_a_change_before_anybody_is_told(weather: Weather) -> None:
    heard, state = Heard(KindCache()), State(weather)
    async with watching(weather, ManualClock(), heard):
        created = await state.create(path("a"))
        await anyio.wait_all_tasks_blocked()
        await state.update(created.with_spec(PathSpec(path="/b")))
        await anyio.wait_all_tasks_blocked()
        await state.destroy(created.pointer)
        await anyio.wait_all_tasks_blocked()

        assert heard.cached == [1, 2, None]


async def test_what_fills_the_cache_is_no_change(weather: Weather) -> None:
    heard, state = Heard(KindCache()), State(weather)
    await state.create(path("before"))
    async with watching(weather, ManualClock(), heard):
        assert heard.cache is not None
        assert [resource.id for resource in await heard.cache.list(ALL)] == ["before"]
        assert heard.changes == []
        assert heard.resyncs == []


async def test_a_resync_is_told_when_the_cache_has_been_filled_again(weather: Weather) -> None:
    clock, heard, state = ManualClock(anyio.wait_all_tasks_blocked), Heard(KindCache()), State(weather)
    await state.create(path("old"))
    async with watching(weather, clock, heard):
        weather.break_watches()
        await anyio.wait_all_tasks_blocked()
        await state.destroy(PathResource.pointer_to("old"))
        await state.create(path("new"))
        weather.stall()
        await clock.advance(INITIAL_SECONDS * (1 + JITTER))
        before = list(heard.resyncs)
        weather.flow()
        await anyio.wait_all_tasks_blocked()

        assert before == []
        assert heard.resyncs == [["new"]]


async def test_who_fails_to_be_told_fails_the_watch_and_not_the_writer() -> None:
    state, heard = State(MemoryState()), Heard()
    told = ZeroDivisionError("can't be told")

    def fail(kind: Kind, change: Change) -> None:
        raise told

    async def write_while_watching() -> None:
        watch = KindWatch(state, KIND, None, ManualClock(), deliver=fail, resync=heard.resync)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch.run)
            await anyio.wait_all_tasks_blocked()
            await state.create(path("a"))

    with pytest.raises(ExceptionGroup) as failure:
        await write_while_watching()

    assert failure.value.exceptions == (told,)
    assert await state.find(PathResource, "a") is not None
