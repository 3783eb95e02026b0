"""A world comes to rest by itself, says what is wrong in lines, and recognises controllers that never rest."""

import time
from collections.abc import Sequence

import anyio
import pytest

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, shared, weak
from cosi.controller.runtime import Runtime
from cosi.state import errors
from cosi.state.filtered import Verb
from cosi.testing import world as worlds
from cosi.testing.clock import ManualClock
from cosi.testing.interruptions import check_idempotent, check_survives_cuts
from cosi.testing.resources import IntResource, IntSpec, StrResource, StrSpec, integer, string
from cosi.testing.world import World, running
from tests.cosi.controller.generic.spelling import FAILING, QSpell, set_number

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop to run on."""
    return str(request.param)


async def test_what_is_missing_is_shown_with_what_there_is() -> None:
    async with running(QSpell()) as world:
        await set_number(world, 1)

        with pytest.raises(AssertionError) as failure:
            await world.expect(string("two", "2"))

    message = str(failure.value)
    assert "Strs.test.cosi.dev(default/two@undefined) doesn't exist; it should be" in message
    assert '  value: "2"' in message
    assert "of this kind there are: Strs.test.cosi.dev(default/one@1)" in message


async def test_what_differs_is_shown_line_by_line() -> None:
    async with running(QSpell()) as world:
        await set_number(world, 1)

        with pytest.raises(AssertionError) as failure:
            await world.expect(string("one", "2"))

    assert '  - value: "1"\n  + value: "2"' in str(failure.value)


async def test_labels_are_compared_where_some_are_wanted() -> None:
    async with running() as world:
        await world.state.create(StrResource.new("one", StrSpec(), labels={"a": "b"}))
        await world.expect(StrResource.new("one", StrSpec()))
        await world.expect(StrResource.new("one", StrSpec(), labels={"a": "b"}))

        with pytest.raises(AssertionError, match="should be"):
            await world.expect(StrResource.new("one", StrSpec(), labels={"a": "c"}))


async def test_what_should_be_gone_or_should_not_exist_is_named() -> None:
    async with running(QSpell()) as world:
        await set_number(world, 1)

        with pytest.raises(AssertionError, match=r"one@1\) should be gone"):
            await world.expect_gone(string("one", ""))
        with pytest.raises(AssertionError, match=r"one@1\) should not exist"):
            await world.expect_all(StrResource, [])
        await world.expect_all(StrResource, [string("one", "1")])


async def test_eventually_waits_for_what_others_do() -> None:
    async with running() as world, anyio.create_task_group() as tasks:

        async def later() -> None:
            await anyio.lowlevel.checkpoint()
            await world.state.create(string("one", "1"))

        tasks.start_soon(later)
        await world.eventually(string("one", "1"))


async def test_eventually_ends_and_says_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "EVENTUALLY_SECONDS", 0.01)
    async with running() as world:
        with pytest.raises(AssertionError, match="doesn't exist; it should be"):
            await world.eventually(string("one", "1"))


async def test_a_failure_that_nobody_expected_fails_the_test() -> None:
    async def failing() -> None:
        async with running(QSpell()) as world:
            await set_number(world, FAILING)
            await world.settle()

    with pytest.raises(AssertionError, match=r"test\.QSpell: reconcile failed: can't spell that"):
        await failing()


async def test_a_failure_that_was_looked_at_does_not() -> None:
    async with running(QSpell()) as world:
        await set_number(world, FAILING)
        await world.settle()
        assert [failure.controller for failure in world.failures] == ["test.QSpell"] * len(world.failures)
        world.failures.clear()


async def test_accesses_fail_as_often_as_they_are_told_to_before_they_happen_or_after() -> None:
    async with running() as world:
        world.faults.fail(Verb.CREATE, IntResource, "two", times=1)
        world.faults.fail(Verb.CREATE, IntResource, "three", error=errors.LimitExceeded("full"), after=True)
        await world.faults.create(integer("one", 1))
        with pytest.raises(errors.Unavailable):
            await world.faults.create(integer("two", 2))
        with pytest.raises(errors.LimitExceeded):
            await world.faults.create(integer("three", 3))

        assert world.faults.pending == 0
        assert [number.id for number in await world.state.list(IntResource)] == ["one", "three"]


class Restless(Controller):
    """Counts for ever."""

    name = "test.Restless"
    inputs = (weak(IntResource),)
    outputs = (exclusive(IntResource),)

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            found = await runtime.find(IntResource, "count")
            await runtime.modify(integer("count", found.spec.value + 1 if found is not None else 0))


async def test_controllers_that_keep_waking_each_other_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "MAX_RECONCILES", 50)
    async with running(Restless()) as world:
        with pytest.raises(AssertionError, match=r"keep waking each other or themselves: .* test\.Restless: \d+ recon"):
            await world.settle()


class Stuck(Controller):
    """Never comes back."""

    name = "test.Stuck"

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            await anyio.sleep_forever()


async def test_a_controller_that_does_not_come_to_rest_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worlds, "SETTLE_SECONDS", 0.05)
    async with running(Stuck()) as world:
        with pytest.raises(AssertionError, match=r"busy now: test\.Stuck"):
            await world.settle()


async def test_time_passes_when_it_is_told_to_and_sleepers_wake_in_order() -> None:
    clock, woken = ManualClock(), []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.now()))

    async with anyio.create_task_group() as tasks:
        for seconds in (3.0, 1.0, 2.0, 9.0):
            tasks.start_soon(sleep, seconds)
        await anyio.wait_all_tasks_blocked()
        await clock.advance(2.5)
        assert (woken, clock.now(), clock.next_due) == ([(1.0, 1.0), (2.0, 2.0)], 2.5, 0.5)
        await clock.advance(0.5)
        tasks.cancel_scope.cancel()

    assert woken[2:] == [(3.0, 3.0)]


async def test_time_does_not_go_backwards() -> None:
    with pytest.raises(ValueError, match="not even by 1"):
        await ManualClock().advance(-1)


class Stamp(QSpell):
    """Writes something else each time."""

    name = "test.Stamp"

    async def transform(self, runtime: object, source: IntResource) -> StrResource:
        return string(source.id, str(time.monotonic_ns()))


class Hasty(Controller):
    """Moves numbers to another namespace: takes one away before it has put the other there."""

    name = "test.Hasty"
    inputs = (weak(IntResource), weak(IntResource, namespace="moved"))
    outputs = (shared(IntResource),)

    async def run(self, runtime: Runtime) -> None:
        async for _ in runtime.reconcile():
            for number in await runtime.list(IntResource):
                await runtime.remove(number.pointer, owner="")
                await runtime.modify(IntResource.new(number.id, IntSpec(value=number.spec.value), namespace="moved"))


async def one_number(world: World) -> None:
    await world.state.create(integer("one", 1))
    await world.settle()


async def test_a_controller_that_writes_again_what_it_has_written_is_found() -> None:
    with pytest.raises(AssertionError, match=r"but wrote\n .*one@undefined\): version \d became \d"):
        await check_idempotent(lambda: [Stamp()], one_number)


async def test_a_controller_that_loses_something_when_it_is_cut_off_is_found() -> None:
    with pytest.raises(AssertionError, match=r"cut off at step \d+ \(.*\), it ended differently"):
        await check_survives_cuts(lambda: [Hasty()], one_number)


async def test_a_scenario_in_which_nothing_happens_proves_nothing() -> None:
    async def nothing(world: World) -> None:
        await world.settle()

    def nobody() -> Sequence[Controller]:
        return []

    with pytest.raises(AssertionError, match="nothing to cut off"):
        await check_survives_cuts(nobody, nothing)
