"""How an output is written: what of it is the transform's, and what happens when others write as well."""

from collections.abc import Callable

import anyio
import pytest

from cosi.controller.engine.engine import Engine
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.generic.transform import Transform
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.state import errors
from cosi.state.filtered import Verb
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import IntResource, StrResource, StrSpec, integer, string
from cosi.testing.world import AnyController, running
from tests.cosi.controller.generic.forgetful import Forgetful
from tests.cosi.controller.generic.spelling import NUMBER, WORD, QSpell, Spell, hold, let_go, set_number
from tests.cosi.controller.samples import eventually

pytestmark = pytest.mark.anyio

Make = Callable[[], AnyController]


def labelled(source: IntResource) -> StrResource:
    """Spell a number by its annotation, and label it odd or even."""
    number = source.spec.value
    return StrResource.new(source.id, StrSpec(), labels={"odd": str(number % 2)}, annotations={"word": str(number)})


class Label(Transform[IntResource, StrResource]):
    """Labels all numbers."""

    name = "test.Label"

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        return labelled(source)


class QLabel(QTransform[IntResource, StrResource]):
    """Labels each number."""

    name = "test.QLabel"

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        return labelled(source)


@pytest.mark.parametrize("make", [Label, QLabel])
@pytest.mark.parametrize("number", [2, 3])
async def test_labels_and_annotations_follow_the_input_and_finalizers_stay(make: Make, number: int) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await set_number(world, number)
        await world.settle()

        metadata = (await world.state.get(WORD)).metadata
        assert metadata.labels == {"odd": str(number % 2)}
        assert metadata.annotations == {"word": str(number)}
        assert metadata.finalizers == ("somebody",)


@pytest.mark.parametrize("make", [Spell, QSpell])
async def test_a_write_that_somebody_else_was_faster_than_is_no_failure(make: Make) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        conflict = errors.VersionConflict((await world.state.get(WORD)).metadata, expected=7)
        world.faults.fail(Verb.UPDATE, StrResource, error=conflict)
        await set_number(world, 2)
        await world.expect(string("one", "2"))
        assert not world.faults.pending


@pytest.mark.parametrize("make", [Spell, QSpell])
async def test_an_input_that_is_gone_before_it_can_be_held_is_no_failure(make: Make) -> None:
    async with running(make()) as world:
        await world.settle()
        world.faults.fail(Verb.UPDATE, IntResource, error=errors.NotFound(NUMBER))
        await set_number(world, 1)
        await world.expect_gone(WORD)
        assert not world.faults.pending

        await set_number(world, 2)
        await world.expect(string("one", "2"))


class Edit(QTransform[IntResource, StrResource]):
    """Makes the output out of the one that is there."""

    name = "test.Edit"

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        word = await runtime.find(StrResource, source.id)
        return (string(source.id, "") if word is None else word).with_spec(StrSpec(value=str(source.spec.value)))


async def test_an_output_made_of_the_former_one_takes_over_what_it_says_only() -> None:
    async with running(Edit()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await world.state.teardown(WORD, owner="test.Edit")
        await let_go(world, WORD)
        await world.expect(string("one", "1"))
        assert not (await world.state.get(WORD)).metadata.tearing_down


async def test_an_output_that_the_cache_does_not_show_yet_goes_before_its_input() -> None:
    state = Forgetful(MemoryState(), StrResource.kind())
    engine = Engine(state, cached=[StrResource.kind()])
    engine.register(Spell())
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        await state.create(integer("one", 1))
        await eventually(state, string("one", "1"))

        await state.teardown_and_destroy(NUMBER)
        assert await state.find(WORD) is None
        tasks.cancel_scope.cancel()
