"""What a Transform with input finalizers and a QTransform promise alike."""

from collections.abc import Callable

import pytest

from cosi.controller.generic.qtransform import QTransform
from cosi.controller.generic.transform import Transform
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Metadata, Pointer
from cosi.state import errors
from cosi.state.filtered import Verb
from cosi.testing.interruptions import check_idempotent, check_survives_cuts
from cosi.testing.resources import IntResource, StrResource, integer, string
from cosi.testing.world import AnyController, World, running
from tests.cosi.controller.generic.spelling import (
    DESTROYED,
    FAILING,
    NUMBER,
    SKIPPED,
    WORD,
    QSpell,
    Spell,
    hold,
    let_go,
    set_number,
)

pytestmark = pytest.mark.anyio

Make = Callable[[], AnyController]


def messages(error: BaseException) -> list[str]:
    """What an error says, and those that it groups."""
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [str(error), *(message for each in inner for message in messages(each))]


@pytest.fixture(params=[Spell, QSpell])
def make(request: pytest.FixtureRequest) -> Make:
    """Make the controller."""
    made: Make = request.param
    return made


async def test_each_input_has_an_output_that_follows_it(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.state.create(integer("two", 2))
        await world.expect_all(StrResource, [string("one", "1"), string("two", "2")])

        await set_number(world, 11)
        await world.expect_all(StrResource, [string("one", "11"), string("two", "2")])


async def test_the_controller_owns_its_outputs_and_holds_its_inputs(make: Make) -> None:
    controller = make()
    async with running(controller) as world:
        await set_number(world, 1)
        await world.settle()

        assert (await world.state.get(WORD)).metadata.owner == controller.name
        assert (await world.state.get(NUMBER)).metadata.finalizers == (controller.name,)


async def test_inputs_from_before_the_start_are_transformed(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.restart()
        await world.expect(string("one", "1"))


async def test_an_output_is_not_written_again_when_nothing_about_it_changed(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, NUMBER)
        await world.settle()

        assert (await world.state.get(WORD)).metadata.version == 1


async def test_a_torn_down_input_is_let_go_of_once_its_output_is_gone(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        assert not await world.state.teardown(NUMBER)
        await world.expect_gone(WORD)

        await world.state.destroy(NUMBER)


async def test_an_output_that_others_hold_holds_its_input(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await world.state.teardown(NUMBER)
        await world.settle()
        assert (await world.state.get(WORD)).metadata.tearing_down
        with pytest.raises(errors.PendingFinalizers):
            await world.state.destroy(NUMBER)

        await let_go(world, WORD)
        await world.expect_gone(WORD)
        await world.state.destroy(NUMBER)


async def test_an_input_made_anew_gets_its_output_when_the_old_one_is_gone(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await world.state.teardown(NUMBER)
        await world.settle()
        held = await world.state.get(NUMBER)
        await world.state.remove_finalizers(NUMBER, *held.metadata.finalizers)
        await world.state.destroy(NUMBER)
        await set_number(world, 2)
        await world.settle()
        assert (await world.state.get(StrResource, "one")).spec.value == "1"

        await let_go(world, WORD)
        await world.expect(string("one", "2"))
        assert not (await world.state.get(WORD)).metadata.tearing_down


async def test_skip_leaves_the_output_as_it_is(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, SKIPPED)
        await world.expect_gone(WORD)
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await set_number(world, SKIPPED)
        await world.expect(string("one", "1"))


async def test_destroy_output_removes_it_until_it_is_wanted_again(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await set_number(world, DESTROYED)
        await world.expect_gone(WORD)
        await set_number(world, 2)
        await world.expect(string("one", "2"))


async def test_an_input_that_fails_keeps_its_output_and_does_not_hold_up_others(make: Make) -> None:
    async with running(make(), allow_failures=True) as world:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await set_number(world, FAILING)
        await world.state.create(integer("two", 2))
        await world.expect_all(StrResource, [string("one", "1"), string("two", "2")])

        assert any("can't spell that" in message for message in messages(world.failures[0].error))


async def test_a_failure_is_tried_again_when_its_time_has_come(make: Make) -> None:
    async with running(make(), allow_failures=True) as world:
        world.faults.fail(Verb.CREATE, StrResource, times=3)
        await set_number(world, 1)
        await world.clock.advance(60)
        await world.expect(string("one", "1"))


async def test_it_can_be_cut_off_anywhere(make: Make) -> None:
    async def life(world: World) -> None:
        await set_number(world, 1)
        await world.expect(string("one", "1"))
        await set_number(world, 2)
        await world.expect(string("one", "2"))
        await world.state.teardown_and_destroy(NUMBER)
        await world.expect_gone(WORD)
        await set_number(world, 3)
        await world.expect(string("one", "3"))

    await check_idempotent(lambda: [make()], life)
    assert await check_survives_cuts(lambda: [make()], life) > 20


class Elsewhere(QTransform[IntResource, StrResource]):
    """Has outputs of other names, in another namespace, and none for odd numbers."""

    name = "test.Elsewhere"
    output_namespace = "words"

    def output_of(self, source: IntResource) -> Pointer | None:
        return None if source.id.startswith("odd") else StrResource.pointer_to(f"of-{source.id}", namespace="words")

    def source_of(self, output: Metadata) -> Pointer:
        return IntResource.pointer_to(output.id.removeprefix("of-"))

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        return string(f"of-{source.id}", str(source.spec.value), namespace="words")


async def test_outputs_can_have_other_names_and_inputs_none_at_all() -> None:
    async with running(Elsewhere()) as world:
        await world.state.create(integer("even", 2))
        await world.state.create(integer("odd", 1))
        await world.expect_all(StrResource, [string("of-even", "2", namespace="words")], namespace="words")
        assert (await world.state.get(IntResource, "odd")).metadata.finalizers == ()

        await hold(world, StrResource.pointer_to("of-even", namespace="words"))
        await world.state.teardown(IntResource.pointer_to("even"))
        await world.settle()
        await let_go(world, StrResource.pointer_to("of-even", namespace="words"))
        await world.expect_gone(StrResource.pointer_to("of-even", namespace="words"))
        await world.state.destroy(IntResource.pointer_to("even"))


class Misnamed(Transform[IntResource, StrResource]):
    """Makes outputs that are not its inputs'."""

    name = "test.Misnamed"

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        return string("other", "")


async def test_an_output_of_another_name_than_the_mapped_one_is_refused() -> None:
    async with running(Misnamed(), allow_failures=True) as world:
        await set_number(world, 1)
        await world.expect_gone(StrResource.pointer_to("other"))

        assert any("where its output is to be" in message for message in messages(world.failures[0].error))


def test_a_transform_must_say_what_it_makes_of_what() -> None:
    with pytest.raises(TypeError, match=r"class Vague\(QTransform\[Input, Output\]\)"):

        class Vague(QTransform):  # type: ignore[type-arg]
            name = "test.Vague"


def test_types_and_options_are_inherited() -> None:
    class Base(QTransform[IntResource, StrResource]):
        concurrency = 3

    class Concrete(Base):
        name = "test.Concrete"

        async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
            return string(source.id, "")

    assert Concrete().inputs == QSpell().inputs
    assert Concrete().concurrency == 3
