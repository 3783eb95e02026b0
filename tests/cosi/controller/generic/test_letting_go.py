"""An input that is held is let go of in the end, whatever has become of its output, and never too early."""

from collections.abc import Callable

import pytest

from cosi.controller.dependencies import OutputSharing
from cosi.controller.generic.qtransform import QTransform
from cosi.controller.generic.transform import Transform
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource import query
from cosi.resource.metadata import Metadata, Pointer
from cosi.state import errors
from cosi.testing.resources import IntResource, IntSpec, integer, string
from cosi.testing.world import AnyController, running
from tests.cosi.controller.generic.spelling import NUMBER, WORD, QSpell, Spell, hold, let_go, set_number

pytestmark = pytest.mark.anyio


class SharedSpell(Spell):
    """Shares its output type."""

    name = "test.SharedSpell"
    output_sharing = OutputSharing.SHARED


class SharedQSpell(QSpell):
    """Shares its output type."""

    name = "test.SharedQSpell"
    output_sharing = OutputSharing.SHARED


@pytest.mark.parametrize("make", [SharedSpell, SharedQSpell])
async def test_an_output_of_somebody_elses_holds_no_input(make: Callable[[], AnyController]) -> None:
    async with running(make(), allow_failures=True) as world:
        await world.state.create(string("one", "theirs"), owner="somebody")
        await set_number(world, 1)
        await world.settle()
        assert (await world.state.get(NUMBER)).metadata.finalizers

        await world.state.teardown(NUMBER)
        await world.clock.advance(60)
        await world.state.destroy(NUMBER)
        await world.expect(string("one", "theirs"))


class LoudSpell(Spell):
    """Spells labelled numbers only, and holds them."""

    name = "test.LoudSpell"
    input_query = query.where(query.exists("loud"))


async def test_an_input_that_the_query_does_not_find_any_more_is_let_go_of_after_its_output() -> None:
    async with running(LoudSpell()) as world:
        loud = await world.state.create(IntResource.new("one", IntSpec(value=1), labels={"loud": ""}))
        await world.settle()
        await hold(world, WORD)
        await world.state.update_with_conflicts(
            loud.pointer, lambda found: found.with_metadata(found.metadata.without_labels("loud"))
        )
        await world.settle()
        assert (await world.state.get(WORD)).metadata.tearing_down
        await world.state.teardown(NUMBER)
        await world.settle()
        with pytest.raises(errors.PendingFinalizers):
            await world.state.destroy(NUMBER)

        await let_go(world, WORD)
        await world.expect_gone(WORD)
        await world.state.destroy(NUMBER)


class Fickle(Spell):
    """Spells positive numbers only, which it should not say by `output_of`."""

    name = "test.Fickle"

    def output_of(self, source: IntResource) -> Pointer | None:
        return super().output_of(source) if source.spec.value > 0 else None


class QFickle(QSpell):
    """The same."""

    name = "test.QFickle"

    def output_of(self, source: IntResource) -> Pointer | None:
        return super().output_of(source) if source.spec.value > 0 else None


@pytest.mark.parametrize("make", [Fickle, QFickle])
async def test_an_input_that_has_no_output_any_more_is_let_go_of(make: Callable[[], AnyController]) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.settle()
        await set_number(world, -1)
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.settle()

        await world.state.destroy(NUMBER)


class Stubborn(Spell):
    """Fails to finalize until told otherwise."""

    name = "test.Stubborn"
    allowed = False

    async def finalize(self, runtime: Runtime, source: IntResource) -> None:
        if not self.allowed:
            raise RuntimeError("not yet")


class QStubborn(QSpell):
    """The same."""

    name = "test.QStubborn"
    allowed = False

    async def finalize(self, runtime: QRuntime, source: IntResource) -> None:
        if not self.allowed:
            raise RuntimeError("not yet")


@pytest.mark.parametrize("make", [Stubborn, QStubborn])
async def test_what_fails_before_an_input_goes_holds_its_output_and_is_tried_again(
    make: Callable[[], Stubborn | QStubborn],
) -> None:
    controller = make()
    async with running(controller, allow_failures=True) as world:
        await set_number(world, 1)
        await world.settle()
        await world.state.teardown(NUMBER)
        await world.expect(string("one", "1"))

        controller.allowed = True
        await world.clock.advance(60)
        await world.expect_gone(WORD)
        await world.state.destroy(NUMBER)


def doubled(source: IntResource) -> IntResource:
    """Return the double of a number."""
    return integer(f"double-{source.id}", 2 * source.spec.value)


def double_of(source: IntResource) -> Pointer | None:
    """Name the double of a number, which has none itself."""
    return None if source.id.startswith("double-") else doubled(source).pointer


class Double(Transform[IntResource, IntResource]):
    """Makes numbers of numbers."""

    name = "test.Double"
    input_finalizers = True

    def output_of(self, source: IntResource) -> Pointer | None:
        return double_of(source)

    async def transform(self, runtime: Runtime, source: IntResource) -> IntResource:
        return doubled(source)


class QDouble(QTransform[IntResource, IntResource]):
    """Makes numbers of numbers, each by itself."""

    name = "test.QDouble"

    def output_of(self, source: IntResource) -> Pointer | None:
        return double_of(source)

    def source_of(self, output: Metadata) -> Pointer:
        return IntResource.pointer_to(output.id.removeprefix("double-"))

    async def transform(self, runtime: QRuntime, source: IntResource) -> IntResource:
        return doubled(source)


@pytest.mark.parametrize("make", [Double, QDouble])
async def test_inputs_and_outputs_can_be_of_one_kind(make: Callable[[], AnyController]) -> None:
    async with running(make()) as world:
        await set_number(world, 1)
        await world.expect_all(IntResource, [integer("one", 1), integer("double-one", 2)])
        await hold(world, IntResource.pointer_to("double-one"))
        await world.state.teardown(NUMBER)
        await world.settle()
        await let_go(world, IntResource.pointer_to("double-one"))
        await world.expect_gone(IntResource.pointer_to("double-one"))

        await world.state.destroy(NUMBER)
