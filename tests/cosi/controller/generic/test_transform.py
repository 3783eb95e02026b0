"""What a Transform has that a QTransform has not: all inputs together, and inputs that are not held."""

import pytest

from cosi.controller.dependencies import OutputSharing, exclusive, weak
from cosi.controller.generic.transform import Transform
from cosi.controller.outcome import Skip
from cosi.controller.runtime import Runtime
from cosi.resource import query
from cosi.state import errors
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, StrResource, integer, path, string
from cosi.testing.world import World, running
from tests.cosi.controller.generic.spelling import FAILING, NUMBER, WORD, LooseSpell, Spell, hold, let_go, set_number

pytestmark = pytest.mark.anyio


def only_failure(world: World) -> Exception:
    """Return what went wrong with the one input that something went wrong with."""
    [failure] = world.failures
    assert isinstance(failure.error, ExceptionGroup)
    [error] = failure.error.exceptions
    return error


async def test_inputs_are_not_held_unless_asked_for() -> None:
    async with running(LooseSpell()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        assert await world.state.teardown(NUMBER)
        await world.expect_gone(WORD)


async def test_an_output_goes_with_an_input_that_is_gone_at_once() -> None:
    async with running(LooseSpell()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await world.state.destroy(NUMBER)
        await world.expect_gone(WORD)


class Faithful(LooseSpell):
    """Keeps words of numbers that are torn down."""

    name = "test.Faithful"
    ignore_tearing_down_inputs = True


async def test_torn_down_inputs_can_be_treated_as_if_they_were_not() -> None:
    async with running(Faithful()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await hold(world, NUMBER)
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))
        await let_go(world, NUMBER)
        await world.state.destroy(NUMBER)
        await world.expect_gone(WORD)


class Waiting(Spell):
    """Waits for `other` to let go, and is the last but for `somebody`."""

    name = "test.Waiting"
    ignore_teardown_while = frozenset({"other"})
    ignore_teardown_until = frozenset({"somebody"})


async def test_a_teardown_of_a_held_input_can_be_ignored_until_others_let_go() -> None:
    async with running(Waiting()) as world:
        await set_number(world, 1)
        await world.state.add_finalizers(NUMBER, "somebody", "other")
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))
        await world.state.remove_finalizers(NUMBER, "other")
        await world.expect_gone(WORD)
        assert (await world.state.get(NUMBER)).metadata.finalizers == ("somebody",)


def test_inputs_can_not_be_both_held_and_their_teardown_ignored() -> None:
    with pytest.raises(TypeError, match="can't both hold its inputs and ignore"):

        class Torn(Spell):
            name = "test.Torn"
            ignore_tearing_down_inputs = True


class Loud(LooseSpell):
    """Spells labelled numbers only."""

    name = "test.Loud"
    input_query = query.where(query.exists("loud"))


async def test_a_query_narrows_the_inputs_down() -> None:
    async with running(Loud()) as world:
        await world.state.create(IntResource.new("loud", IntSpec(value=1), labels={"loud": ""}))
        await world.state.create(integer("quiet", 2))
        await world.expect_all(StrResource, [string("loud", "1")])


class Addressed(Transform[IntResource, StrResource]):
    """Spells a number, with a path that it reads beside, and notes the path of it."""

    name = "test.Addressed"
    extra_inputs = (weak(PathResource),)
    extra_outputs = (exclusive(PathResource),)

    def __init__(self) -> None:
        self.hooks: list[str] = []

    async def before(self, runtime: Runtime) -> None:
        self.hooks.append("before")

    async def after(self, runtime: Runtime) -> None:
        self.hooks.append("after")

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        self.hooks.append("transform")
        where = await runtime.find(PathResource, source.id)
        await runtime.modify(PathResource.new("last", PathSpec(path=source.id)))
        return string(source.id, f"{source.spec.value} at {where.spec.path if where is not None else '?'}")


async def test_extra_inputs_wake_it_and_extra_outputs_are_its_own() -> None:
    async with running(Addressed()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1 at ?"))
        await world.state.create(path("one"))
        await world.expect(string("one", "1 at one"))
        await world.expect(PathResource.new("last", PathSpec(path="one")))


async def test_an_extra_output_that_is_torn_down_is_a_failure() -> None:
    async with running(Addressed(), allow_failures=True) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, PathResource.pointer_to("last"))
        await world.state.teardown(PathResource.pointer_to("last"), owner="test.Addressed")
        await set_number(world, 2)
        await world.settle()

        assert isinstance(only_failure(world), errors.PhaseConflict)


async def test_a_failure_says_which_input_it_is_about() -> None:
    async with running(LooseSpell(), allow_failures=True) as world:
        await set_number(world, FAILING)
        await world.settle()

        assert only_failure(world).__notes__ == ["on Ints.test.cosi.dev(default/one@1)"]


async def test_hooks_run_around_each_look_at_the_inputs() -> None:
    controller = Addressed()
    async with running(controller) as world:
        await set_number(world, 1)
        await world.settle()

    assert controller.hooks[-3:] == ["before", "transform", "after"]


class Careful(Spell):
    """Lets go of a number when it is allowed to."""

    name = "test.Careful"
    extra_inputs = (weak(PathResource),)

    async def finalize(self, runtime: Runtime, source: IntResource) -> None:
        if await runtime.find(PathResource, source.id) is None:
            raise Skip("not allowed yet")


async def test_what_must_be_done_before_an_input_goes_holds_its_output() -> None:
    async with running(Careful()) as world:
        await set_number(world, 1)
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))
        await world.state.create(path("one"))
        await world.expect_gone(WORD)
        await world.state.destroy(NUMBER)


class Shared(LooseSpell):
    """Shares its output type."""

    name = "test.Shared"
    output_sharing = OutputSharing.SHARED


class AlsoShared(Shared):
    """Shares the same output type."""

    name = "test.AlsoShared"

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        raise Skip("the other does it")


async def test_two_can_share_an_output_type() -> None:
    async with running(Shared(), AlsoShared()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        assert (await world.state.get(WORD)).metadata.owner == "test.Shared"


async def test_outputs_of_others_are_left_alone() -> None:
    async with running(Shared()) as world:
        await world.state.create(string("theirs", "kept"), owner="somebody")
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await world.state.destroy(NUMBER)
        await world.expect_all(StrResource, [string("theirs", "kept")])
