"""Transforms that spell numbers, and what tests do to their inputs and outputs."""

from cosi.controller.generic.qtransform import QTransform
from cosi.controller.generic.signals import DestroyOutput
from cosi.controller.generic.transform import Transform
from cosi.controller.outcome import Skip
from cosi.controller.qruntime import QRuntime
from cosi.controller.runtime import Runtime
from cosi.resource.metadata import Pointer
from cosi.testing.resources import IntResource, IntSpec, StrResource, string
from cosi.testing.world import World

SKIPPED, DESTROYED, FAILING = 100, 200, 300
"""Numbers for which there is no word: skip it, have no output, fail."""


def word(number: IntResource) -> StrResource:
    """Spell a number, or don't."""
    match number.spec.value:
        case value if value == SKIPPED:
            raise Skip("not spelt")
        case value if value == DESTROYED:
            raise DestroyOutput
        case value if value == FAILING:
            raise RuntimeError("can't spell that")
        case value:
            return string(number.id, str(value))


class Spell(Transform[IntResource, StrResource]):
    """Spells all numbers at once, and holds them."""

    name = "test.Spell"
    input_finalizers = True

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        return word(source)


class LooseSpell(Transform[IntResource, StrResource]):
    """Spells all numbers at once, and holds none."""

    name = "test.LooseSpell"

    async def transform(self, runtime: Runtime, source: IntResource) -> StrResource:
        return word(source)


class QSpell(QTransform[IntResource, StrResource]):
    """Spells each number by itself."""

    name = "test.QSpell"

    async def transform(self, runtime: QRuntime, source: IntResource) -> StrResource:
        return word(source)


NUMBER, WORD = IntResource.pointer_to("one"), StrResource.pointer_to("one")


async def set_number(world: World, value: int) -> None:
    """Give number `one` a value."""
    await world.state.modify(IntResource.new("one", IntSpec(value=value)))


async def hold(world: World, pointer: Pointer) -> None:
    """Put a finalizer of somebody else's on a resource."""
    await world.state.add_finalizers(pointer, "somebody")


async def let_go(world: World, pointer: Pointer) -> None:
    """Take it off again."""
    await world.state.remove_finalizers(pointer, "somebody")
