"""What a QTransform has of its own: teardowns it ignores, mapped inputs, items that come back, several at once."""

from collections.abc import Iterable

import anyio
import pytest

from cosi.controller.dependencies import mapped
from cosi.controller.generic.mappers import label_value, same_id
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.outcome import Skip
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Pointer
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, PathResource, PathSpec, StrResource, integer, path, string
from cosi.testing.world import running
from tests.cosi.controller.generic.spelling import NUMBER, WORD, QSpell, set_number

pytestmark = pytest.mark.anyio


class Last(QSpell):
    """Is the last to let go, but for `somebody`."""

    name = "test.Last"
    ignore_teardown_until = frozenset({"somebody"})


async def test_a_teardown_can_be_ignored_until_only_given_finalizers_are_left() -> None:
    async with running(Last()) as world:
        await set_number(world, 1)
        await world.state.add_finalizers(NUMBER, "somebody", "other")
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))
        await world.state.remove_finalizers(NUMBER, "other")
        await world.expect_gone(WORD)
        assert (await world.state.get(NUMBER)).metadata.finalizers == ("somebody",)


class Waiting(QSpell):
    """Waits for `other` to let go."""

    name = "test.Waiting"
    ignore_teardown_while = frozenset({"other"})


async def test_a_teardown_can_be_ignored_while_there_are_given_finalizers() -> None:
    async with running(Waiting()) as world:
        await set_number(world, 1)
        await world.state.add_finalizers(NUMBER, "somebody", "other")
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))
        await world.state.remove_finalizers(NUMBER, "other")
        await world.expect_gone(WORD)


async def test_an_input_whose_teardown_is_ignored_still_changes_its_output() -> None:
    async with running(Waiting()) as world:
        await set_number(world, 1)
        await world.state.add_finalizers(NUMBER, "other")
        await world.settle()
        await world.state.teardown(NUMBER)
        number = await world.state.get(IntResource, "one")
        await world.state.update(number.with_spec(integer("one", 2).spec), expected_phase=None)
        await world.expect(string("one", "2"))


async def test_an_input_that_was_torn_down_before_is_not_held_any_more() -> None:
    core = MemoryState()
    state = State(core)
    await state.create(integer("one", 1))
    await state.add_finalizers(NUMBER, "other")
    await state.teardown(NUMBER)
    async with running(Waiting(), core=core) as world:
        await world.expect(string("one", "1"))
        assert (await world.state.get(NUMBER)).metadata.finalizers == ("other",)


class Addressed(QTransform[IntResource, StrResource]):
    """Spells a number with the path that is labelled with it, or has its id."""

    name = "test.Addressed"
    extra_inputs = (mapped(PathResource),)

    async def map_extra(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        return (*same_id(IntResource, changed), *label_value(IntResource, changed, "number"))

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        paths = [each.spec.path for each in await runtime.list(PathResource)]
        return string(source.id, f"{source.spec.value} {' '.join(paths)}".strip())


async def test_a_mapped_input_brings_its_items_back() -> None:
    async with running(Addressed()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await world.state.create(path("one"))
        await world.expect(string("one", "1 one"))
        await world.state.create(path("two", labels={"number": "one"}))
        await world.expect(string("one", "1 one two"))
        await world.state.create(path("unrelated"))
        await world.expect(string("one", "1 one two"))
        await world.state.destroy(path("one").pointer)
        await world.state.destroy(path("two").pointer)
        await world.expect(string("one", "1 unrelated"))


class Unmapped(QSpell):
    """Does not say what its extra input maps to."""

    name = "test.Unmapped"
    extra_inputs = (mapped(PathResource),)


async def test_a_mapped_input_that_maps_to_nothing_known_is_a_failure() -> None:
    async with running(Unmapped(), allow_failures=True) as world:
        await world.state.create(path("one"))
        await world.settle()

        assert "must say what they map to" in str(world.failures[0].error)


class Ticking(QTransform[IntResource, StrResource]):
    """Counts how often it looked, once a minute."""

    name = "test.Ticking"

    def __init__(self) -> None:
        self._looks = 0

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        runtime.requeue_after(60)
        self._looks += 1
        return string(source.id, str(self._looks))


async def test_an_item_comes_back_after_its_time_and_its_output_is_written_all_the_same() -> None:
    async with running(Ticking()) as world:
        await set_number(world, 1)
        await world.settle()
        looks = int((await world.state.get(StrResource, "one")).spec.value)

        await world.clock.advance(59)
        await world.expect(string("one", str(looks)))
        await world.clock.advance(1)
        await world.expect(string("one", str(looks + 1)))
        await world.clock.advance(120)
        await world.expect(string("one", str(looks + 3)))


class Late(QSpell):
    """Fails the first time that it is to spell a two, and says when to try again."""

    name = "test.Late"

    def __init__(self) -> None:
        self._tried = False

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        if source.spec.value == 2 and not self._tried:
            self._tried = True
            runtime.requeue_after(3600)
            raise RuntimeError("not before an hour")
        return await super().transform(runtime, source)


async def test_an_item_that_fails_can_say_when_to_try_again() -> None:
    async with running(Late(), allow_failures=True) as world:
        await set_number(world, 1)
        await world.settle()
        await set_number(world, 2)
        await world.clock.advance(3599)
        await world.expect(string("one", "1"))
        await world.clock.advance(1)
        await world.expect(string("one", "2"))


class Careful(QSpell):
    """Lets go of a number when it is allowed to."""

    name = "test.Careful"
    extra_inputs = (mapped(PathResource),)

    async def map_extra(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        return same_id(IntResource, changed)

    async def finalize(self, runtime: QRuntime, source: IntResource) -> None:
        if await runtime.find(PathResource, source.id) is None:
            raise Skip("not allowed yet")


async def test_what_must_be_done_before_an_input_goes_holds_its_output() -> None:
    async with running(Careful()) as world:
        await set_number(world, 1)
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))
        await world.state.create(PathResource.new("one", PathSpec()))
        await world.expect_gone(WORD)
        await world.state.destroy(NUMBER)


class Meeting(QSpell):
    """Can go on only when three do."""

    name = "test.Meeting"
    concurrency = 3

    def __init__(self) -> None:
        self._arrived = 0
        self._all_here = anyio.Event()

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        self._arrived += 1
        if self._arrived == self.concurrency:
            self._all_here.set()
        await self._all_here.wait()
        return await super().transform(runtime, source)


async def test_as_many_items_as_allowed_are_transformed_at_once() -> None:
    async with running(Meeting()) as world:
        for id in "abc":
            await world.state.create(integer(id, 1))
        await world.expect_all(StrResource, [string(id, "1") for id in "abc"])
