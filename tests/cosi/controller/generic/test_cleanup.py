"""Cleanup holds resources until what depends on them is gone; Destroy finishes what somebody has torn down."""

import anyio
import pytest

from cosi.controller.engine.engine import Engine
from cosi.controller.generic.cleanup import Cleanup, Combine, Handler, HasNoOutputs, RemoveOutputs
from cosi.controller.generic.destroy import Destroy
from cosi.resource import query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.filtered import Verb
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.interruptions import check_idempotent, check_survives_cuts
from cosi.testing.resources import IntResource, PathResource, PathSpec, StrResource, StrSpec, integer, path
from cosi.testing.world import World, running
from tests.cosi.controller.generic.forgetful import Forgetful
from tests.cosi.controller.generic.spelling import NUMBER, hold, let_go
from tests.cosi.controller.samples import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio


def of(source: IntResource) -> query.Query:
    """What belongs to a number."""
    return query.where(query.equal("number", source.id))


def words() -> RemoveOutputs[IntResource]:
    return RemoveOutputs(StrResource, of, extra_owners=["friend"])


def cleanup(handler: Handler[IntResource]) -> Cleanup[IntResource]:
    return Cleanup("test.Cleanup", IntResource, handler)


def held(resource: AnyResource) -> bool:
    return "test.Cleanup" in resource.metadata.finalizers


async def add_word(world: World, id: str, *, owner: str = "", number: str = "one") -> None:
    await world.state.create(StrResource.new(id, StrSpec(), labels={"number": number}), owner=owner)


async def test_every_resource_is_held_until_the_handler_is_done() -> None:
    async with running(cleanup(HasNoOutputs(PathResource, of))) as world:
        await world.state.create(integer("one", 1))
        await world.state.create(PathResource.new("mine", PathSpec(), labels={"number": "one"}))
        await world.settle()
        assert (await world.state.get(NUMBER)).metadata.finalizers == ("test.Cleanup",)

        await world.state.teardown(NUMBER)
        await world.settle()
        with pytest.raises(errors.PendingFinalizers):
            await world.state.destroy(NUMBER)

        await world.state.destroy(PathResource.pointer_to("mine"))
        await world.settle()
        await world.state.destroy(NUMBER)


async def test_others_dependents_are_not_waited_for() -> None:
    async with running(cleanup(HasNoOutputs(PathResource, of))) as world:
        await world.state.create(integer("one", 1))
        await world.state.create(path("unrelated"))
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.settle()
        await world.state.destroy(NUMBER)


async def test_dependents_are_removed_with_what_they_depend_on() -> None:
    async with running(cleanup(words())) as world:
        await world.state.create(integer("one", 1))
        await add_word(world, "nobody's")
        await add_word(world, "a friend's", owner="friend")
        await add_word(world, "a stranger's", owner="stranger")
        await add_word(world, "two's", number="two")
        await world.settle()

        await world.state.teardown(NUMBER)
        await world.settle()
        await world.state.destroy(NUMBER)

        assert [word.id for word in await world.state.list(StrResource)] == ["a stranger's", "two's"]


async def test_a_dependent_that_others_hold_is_waited_for() -> None:
    async with running(cleanup(words())) as world:
        await world.state.create(integer("one", 1))
        await add_word(world, "held")
        await hold(world, StrResource.pointer_to("held"))
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.settle()
        assert (await world.state.get(StrResource, "held")).metadata.tearing_down
        assert (await world.state.get(NUMBER)).metadata.finalizers == ("test.Cleanup",)

        await let_go(world, StrResource.pointer_to("held"))
        await world.expect_gone(StrResource.pointer_to("held"))
        await world.state.destroy(NUMBER)


async def test_handlers_can_be_combined_one_after_the_other() -> None:
    async with running(cleanup(Combine(HasNoOutputs(PathResource, of), words()))) as world:
        await world.state.create(integer("one", 1))
        await add_word(world, "word")
        await world.state.create(PathResource.new("mine", PathSpec(), labels={"number": "one"}))
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.settle()
        assert await world.state.find(StrResource, "word") is not None

        await world.state.destroy(PathResource.pointer_to("mine"))
        await world.expect_gone(StrResource.pointer_to("word"))
        await world.state.destroy(NUMBER)


async def test_nothing_is_removed_for_one_that_was_torn_down_before_it_was_held() -> None:
    core = MemoryState()
    state = State(core)
    await state.create(integer("one", 1))
    await state.add_finalizers(NUMBER, "somebody")
    await state.teardown(NUMBER)
    await state.create(StrResource.new("word", StrSpec(), labels={"number": "one"}))
    async with running(cleanup(words()), core=core) as world:
        await world.settle()
        assert await world.state.find(StrResource, "word") is not None


async def test_a_new_one_is_held_even_while_a_cache_still_shows_the_one_before() -> None:
    state = Forgetful(MemoryState(), IntResource.kind())
    await state.create(integer("one", 1))
    await state.add_finalizers(NUMBER, "test.Cleanup", "somebody")
    await state.teardown(NUMBER)
    engine = Engine(state, cached=[IntResource.kind()])
    engine.register(cleanup(HasNoOutputs(PathResource, of)))
    await state.create(PathResource.new("mine", PathSpec(), labels={"number": "one"}))
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        await state.remove_finalizers(NUMBER, "test.Cleanup", "somebody")
        await state.destroy(NUMBER)
        await state.create(integer("one", 1))
        await state.destroy(PathResource.pointer_to("mine"))

        with anyio.fail_after(PATIENCE_SECONDS):
            await state.watch_for(NUMBER, lambda event: event.resource is not None and held(event.resource))
        tasks.cancel_scope.cancel()


def test_nothing_can_not_be_combined() -> None:
    with pytest.raises(ValueError, match="nothing to combine"):
        Combine()


async def test_one_that_fails_does_not_hold_up_the_others() -> None:
    class Picky:
        inputs = ()
        outputs = ()

        async def finalize(self, runtime: object, source: IntResource) -> None:
            if source.spec.value == 1:
                raise RuntimeError("not this one")

    async with running(cleanup(Picky()), allow_failures=True) as world:
        await world.state.create(integer("one", 1))
        await world.state.create(integer("two", 2))
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.state.teardown(IntResource.pointer_to("two"))
        await world.settle()

        await world.state.destroy(IntResource.pointer_to("two"))
        assert (await world.state.get(NUMBER)).metadata.finalizers == ("test.Cleanup",)


async def test_cleaning_up_can_be_cut_off_anywhere() -> None:
    async def life(world: World) -> None:
        await world.state.create(integer("one", 1))
        await add_word(world, "word")
        await world.settle()
        await world.state.teardown_and_destroy(NUMBER)
        await world.expect_gone(StrResource.pointer_to("word"))

    await check_idempotent(lambda: [cleanup(words())], life)
    assert await check_survives_cuts(lambda: [cleanup(words())], life) > 10


async def test_what_is_torn_down_and_free_is_destroyed() -> None:
    async with running(Destroy(IntResource)) as world:
        await world.state.create(integer("one", 1))
        await world.state.teardown(NUMBER)
        await world.expect_gone(NUMBER)


async def test_what_others_hold_is_destroyed_when_they_let_go() -> None:
    async with running(Destroy(IntResource)) as world:
        await world.state.create(integer("one", 1))
        await hold(world, NUMBER)
        await world.state.teardown(NUMBER)
        await world.settle()
        assert await world.state.find(NUMBER) is not None

        await let_go(world, NUMBER)
        await world.expect_gone(NUMBER)


async def test_what_somebody_owns_or_nobody_has_torn_down_is_left_alone() -> None:
    async with running(Destroy(IntResource)) as world:
        await world.state.create(integer("one", 1), owner="somebody")
        await world.state.create(integer("two", 2))
        await world.state.teardown(NUMBER, owner="somebody")
        await world.settle()

        assert [number.id for number in await world.state.list(IntResource)] == ["one", "two"]


async def test_a_definition_says_as_well_what_to_destroy() -> None:
    async with running(Destroy(IntResource.definition, namespace="far", concurrency=2)) as world:
        far = await world.state.create(integer("one", 1, namespace="far"))
        await world.state.create(integer("one", 1))
        await world.state.teardown(far.pointer)
        await world.state.teardown(NUMBER)
        await world.expect_gone(far)
        assert await world.state.find(NUMBER) is not None


@pytest.mark.parametrize("error", [errors.PendingFinalizers(integer("one", 1).metadata), errors.NotFound(NUMBER)])
async def test_what_is_held_again_or_gone_in_the_last_moment_is_no_failure(error: errors.StateError) -> None:
    async with running(Destroy(IntResource)) as world:
        await world.state.create(integer("one", 1))
        world.faults.fail(Verb.DESTROY, IntResource, error=error)
        await world.state.teardown(NUMBER)
        await world.settle()
        assert not world.faults.pending


def test_destroyers_are_named_after_what_they_destroy() -> None:
    assert Destroy(IntResource).name == "Destroy[Ints.test.cosi.dev]"
