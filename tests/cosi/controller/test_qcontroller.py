"""A queue controller's items: each by itself, again when they must, and not before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from cosi.backoff import INITIAL_SECONDS, JITTER, MULTIPLIER
from cosi.controller.dependencies import exclusive, mapped, primary
from cosi.controller.outcome import Skip
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.journal.records import Change, Reason
from cosi.resource.metadata import Metadata, Pointer
from cosi.state.filtered import Verb
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, StrResource, integer, path, string
from cosi.testing.world import World, running

pytestmark = pytest.mark.anyio

NAME = "test.Doing"
SOON_SECONDS = INITIAL_SECONDS * (1 - JITTER)
"""What is retried is so at the earliest."""

Doing = Callable[[QRuntime, str], None]


class Do(QController):
    """Does what it is told to with each item and each path, and says when it did."""

    name = NAME
    inputs = (primary(IntResource), mapped(PathResource))
    outputs = (exclusive(StrResource),)

    def __init__(self, item: Doing | None = None, *, maps: Doing | None = None) -> None:
        self._item = item
        self._maps = maps
        self.items: list[str] = []
        self.mapped: list[tuple[str, int | None]] = []

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        self.items.append(item.id)
        if self._item is not None:
            self._item(runtime, item.id)
        await runtime.modify(string(item.id, str(self.items.count(item.id))))

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        self.mapped.append((changed.id, changed.version))
        if self._maps is not None:
            self._maps(runtime, changed.id)
        return (IntResource.pointer_to(changed.id),)


def fails(*ids: str, times: int = 1_000) -> Doing:
    """Return what fails for these items, so many times altogether."""
    left = times

    def fail(runtime: QRuntime, id: str) -> None:
        nonlocal left
        if id in ids and left:
            left -= 1
            raise RuntimeError("as requested")

    return fail


@asynccontextmanager
async def doing(controller: QController, *, allow_failures: bool = False) -> AsyncIterator[World]:
    """Run a controller that has seen that there is nothing yet."""
    async with running(controller, allow_failures=allow_failures) as world:
        await world.settle()
        yield world


async def change(world: World, id: str, value: int) -> None:
    await world.state.modify(IntResource.new(id, IntSpec(value=value)))


async def pass_until_due(world: World) -> float:
    """Let time pass until somebody wakes; return how long that took."""
    await world.settle()
    due = world.clock.next_due
    assert due is not None, "nobody waits for the clock"
    await world.clock.advance(due)
    return due


async def test_an_item_that_fails_waits_longer_each_time_and_the_others_do_not_wait_at_all() -> None:
    async with doing(Do(fails("bad")), allow_failures=True) as world:
        await change(world, "bad", 0)
        waits = [await pass_until_due(world) for _ in range(6)]
        await change(world, "good", 0)
        await world.expect(string("good", "1"))

    for times, wait in enumerate(waits):
        interval = INITIAL_SECONDS * MULTIPLIER**times
        assert interval * (1 - JITTER) <= wait <= interval * (1 + JITTER)


async def test_an_item_that_worked_begins_with_a_short_wait_again() -> None:
    fails_now = iter([True] * 10 + [False, True, False])

    def now_and_then(runtime: QRuntime, id: str) -> None:
        if next(fails_now):
            raise RuntimeError("as requested")

    async with doing(Do(now_and_then), allow_failures=True) as world:
        await change(world, "one", 0)
        waits = [await pass_until_due(world) for _ in range(10)]
        await world.expect(string("one", "11"))
        await change(world, "one", 1)
        again = await pass_until_due(world)
        await world.expect(string("one", "13"))

    assert again <= INITIAL_SECONDS * (1 + JITTER) < waits[-1]


async def test_an_item_that_changes_does_not_wait_for_its_retry() -> None:
    async with doing(Do(fails("one", times=1)), allow_failures=True) as world:
        await change(world, "one", 0)
        await world.settle()
        await change(world, "one", 1)

        await world.expect(string("one", "2"))
        assert world.clock.now() == 0


async def test_what_was_reconciled_in_time_is_not_retried_as_well() -> None:
    controller = Do(fails("one", times=1))
    async with doing(controller, allow_failures=True) as world:
        await change(world, "one", 0)
        await world.settle()
        await change(world, "one", 1)
        await world.clock.advance(1_000)

    assert controller.items == ["one", "one"]


async def test_an_item_comes_back_when_it_asked_to_and_not_before() -> None:
    controller = Do(lambda runtime, id: runtime.requeue_after(30.0))
    async with doing(controller) as world:
        await change(world, "one", 0)
        await world.clock.advance(29.9)
        await world.expect(string("one", "1"))
        await world.clock.advance(0.1)
        await world.expect(string("one", "2"))

        counters = world.engine.counters[NAME]
        assert (counters.requeues, counters.crashes, counters.queue_length) == (2, 0, 1)


async def test_an_item_that_failed_comes_back_when_it_had_asked_to() -> None:
    def ask_and_fail(runtime: QRuntime, id: str) -> None:
        runtime.requeue_after(30.0)
        raise RuntimeError("as requested")

    controller = Do(ask_and_fail)
    async with doing(controller, allow_failures=True) as world:
        await change(world, "one", 0)
        waits = [await pass_until_due(world) for _ in range(3)]

        counters = world.engine.counters[NAME]
        assert (counters.requeues, counters.crashes) == (0, 4)
    assert waits == [30.0, 30.0, 30.0]


async def test_what_one_reconcile_asked_for_the_next_does_not() -> None:
    asked: list[str] = []

    def ask_once(runtime: QRuntime, id: str) -> None:
        if id not in asked:
            asked.append(id)
            runtime.requeue_after(30.0)

    controller = Do(ask_once)
    async with doing(controller) as world:
        await change(world, "one", 0)
        await change(world, "two", 0)
        await world.clock.advance(1_000)

    assert sorted(controller.items) == ["one", "one", "two", "two"]


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
async def test_nothing_comes_back_at_once_or_before(seconds: float) -> None:
    refused: list[str] = []

    def ask(runtime: QRuntime, id: str) -> None:
        with pytest.raises(ValueError, match="requeued after a positive number of seconds"):
            runtime.requeue_after(seconds)
        refused.append(id)

    async with doing(Do(ask)) as world:
        await change(world, "one", 0)
        await world.expect(string("one", "1"))

    assert refused == ["one"]


async def test_an_item_that_was_skipped_waits_for_its_next_change() -> None:
    def skip(runtime: QRuntime, id: str) -> None:
        raise Skip("not now")

    controller = Do(skip)
    async with doing(controller) as world:
        await change(world, "one", 0)
        await world.clock.advance(1_000)
        before = list(controller.items)
        await change(world, "one", 1)
        await world.settle()

        counters = world.engine.counters[NAME]
        assert (counters.skips, counters.crashes) == (2, 0)
    assert before == ["one"]
    assert controller.items == ["one", "one"]


async def test_an_item_that_was_skipped_may_ask_to_come_back() -> None:
    def skip(runtime: QRuntime, id: str) -> None:
        runtime.requeue_after(30.0)
        raise Skip("in a while")

    controller = Do(skip)
    async with doing(controller) as world:
        await change(world, "one", 0)
        assert await pass_until_due(world) == 30.0
        await world.settle()

    assert controller.items == ["one", "one"]


async def test_what_exists_at_the_start_is_an_item_and_what_is_mapped_is_not() -> None:
    controller = Do()
    async with running() as world:
        await world.state.create(integer("one", 1))
        await world.state.create(path("two"))
        world.engine.register(controller)
        await world.settle()

    assert controller.items == ["one"]
    assert controller.mapped == []


async def test_a_change_of_a_mapped_resource_makes_items_of_what_it_maps_to() -> None:
    controller = Do()
    async with doing(controller) as world:
        await world.state.create(path("gone"))
        await world.settle()

        counters = world.engine.counters[NAME]
        assert (counters.mapped_in, counters.mapped_out, counters.reconciles) == (1, 1, 1)
    assert controller.items == ["gone"]


async def test_a_mapping_that_fails_is_tried_again_with_what_is_known_then() -> None:
    controller = Do(maps=fails("one", times=1))
    async with doing(controller, allow_failures=True) as world:
        created = await world.state.create(path("one"))
        await world.settle()
        await world.state.update(created.with_spec(PathSpec(path="/other")))
        await world.settle()
        await world.clock.advance(1_000)

        assert world.engine.counters[NAME].crashes == 1
    assert controller.mapped == [("one", 1), ("one", 2)]
    assert controller.items == ["one"]


async def test_a_mapping_that_fails_waits_for_its_own_time() -> None:
    controller = Do(maps=fails("one", times=3))
    async with doing(controller, allow_failures=True) as world:
        await world.state.create(path("one"))
        waits = [await pass_until_due(world) for _ in range(3)]

    assert waits[0] >= SOON_SECONDS
    assert controller.mapped == [("one", 1)] * 4
    assert controller.items == ["one"]


@pytest.mark.parametrize("skips", [False, True])
async def test_a_mapping_may_ask_to_be_made_again(skips: bool) -> None:
    asked: list[str] = []

    def ask_once(runtime: QRuntime, id: str) -> None:
        if not asked:
            asked.append(id)
            runtime.requeue_after(30.0)
            if skips:
                raise Skip("in a while")

    controller = Do(maps=ask_once)
    async with doing(controller) as world:
        await world.state.create(path("one"))
        assert await pass_until_due(world) == 30.0
        await world.settle()

    assert controller.mapped == [("one", 1), ("one", 1)]


async def test_a_mapping_to_what_is_no_item_fails() -> None:
    class Astray(Do):
        async def map_input(self, runtime: QRuntime, changed: Metadata) -> Sequence[Pointer]:
            return [StrResource.pointer_to(changed.id)]

    async with doing(Astray(), allow_failures=True) as world:
        await world.state.create(path("one"))
        await world.settle()

        assert "which is none of the primary inputs" in str(world.failures[0].error)


async def test_a_primary_input_may_be_a_single_resource() -> None:
    class Choosy(Do):
        inputs = (primary(IntResource, id="one"), mapped(PathResource, id="one"))

    controller = Choosy()
    async with running() as world:
        await change(world, "one", 0)
        await change(world, "two", 0)
        world.engine.register(controller)
        await world.settle()
        for id in ("one", "two"):
            await change(world, id, 1)
            await world.state.create(path(id))
        await world.settle()

    assert controller.mapped == [("one", 1)]
    assert set(controller.items) == {"one"}


async def test_a_listing_that_fails_at_the_start_is_made_again() -> None:
    controller = Do()
    async with running() as world:
        await change(world, "one", 0)
        world.faults.fail(Verb.LIST, IntResource, times=2)
        world.engine.register(controller)
        await world.settle()
        before = list(controller.items)
        for _ in range(2):
            await pass_until_due(world)
        await world.settle()

    assert before == []
    assert controller.items == ["one"]


class Hooked(Do):
    """Has a hook that fails each time, at once or after a while."""

    def __init__(self, *runs_seconds: float) -> None:
        super().__init__()
        self.runs = list(runs_seconds)
        self.world: World | None = None

    async def run_hook(self, runtime: QRuntime) -> None:
        assert self.world is not None
        if not self.runs:
            return
        if seconds := self.runs.pop(0):
            await self.world.clock.sleep(seconds)
        raise RuntimeError("as requested")


async def test_a_run_hook_that_fails_waits_longer_each_time_unless_it_ran_well() -> None:
    controller = Hooked(0, 0, 0, 0, 0, 61.0, 0)
    async with running(allow_failures=True) as world:
        controller.world = world
        world.engine.register(controller)
        first, *_, fifth = [await pass_until_due(world) for _ in range(5)]
        ran = await pass_until_due(world)
        after = await pass_until_due(world)

    assert first <= INITIAL_SECONDS * (1 + JITTER) < fifth
    assert ran == pytest.approx(61.0)
    assert after <= INITIAL_SECONDS * (1 + JITTER)


async def test_a_run_hook_that_returns_has_done_its_work() -> None:
    controller = Hooked()
    async with running() as world:
        controller.world = world
        world.engine.register(controller)
        await change(world, "one", 0)
        await world.expect(string("one", "1"))

        assert world.clock.next_due is None


async def test_an_item_s_writes_are_put_down_to_its_own_causes() -> None:
    class Slow(Do):
        concurrency = 2

        async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
            await both.wait() if len(self.items) == 2 else self.items.append(item.id)
            if len(self.items) == 2:
                both.set()
            await both.wait()
            await runtime.modify(string(item.id, "written"))

    both = anyio.Event()
    async with doing(Slow()) as world:
        one = await world.state.create(integer("one", 1))
        two = await world.state.create(integer("two", 2))
        await world.settle()
        for number in (one, two):
            word = await world.state.get(StrResource, number.id)
            wrote = world.engine.journal.wrote(word.metadata)
            assert wrote is not None
            causes = [each.metadata for each in wrote.causes if isinstance(each, Change)]
            assert wrote.item == number.pointer
            assert causes == [number.metadata]


async def test_a_reconcile_knows_that_it_is_a_retry() -> None:
    async with doing(Do(fails("one", times=1)), allow_failures=True) as world:
        await change(world, "one", 0)
        await pass_until_due(world)
        await world.settle()
        wrote = world.engine.journal.wrote((await world.state.get(StrResource, "one")).metadata)

    assert wrote is not None
    assert wrote.causes == (Reason.RETRIED,)
