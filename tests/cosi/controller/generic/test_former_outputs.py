"""An output that is torn down belongs to a wish of before: only when it is gone there can be one of its name again."""

from collections.abc import Callable

import pytest

from cosi.testing.resources import StrResource, string
from cosi.testing.world import AnyController, World, running
from tests.cosi.controller.generic.spelling import (
    DESTROYED,
    FAILING,
    NUMBER,
    SKIPPED,
    WORD,
    LooseSpell,
    QSpell,
    Spell,
    hold,
    let_go,
    set_number,
)

pytestmark = pytest.mark.anyio

Make = Callable[[], AnyController]


@pytest.fixture(params=[Spell, LooseSpell, QSpell])
def make(request: pytest.FixtureRequest) -> Make:
    """Make the controller."""
    made: Make = request.param
    return made


async def leave_former_output(world: World) -> None:
    """Have an output torn down that somebody holds."""
    await set_number(world, 1)
    await world.settle()
    await hold(world, WORD)
    await set_number(world, DESTROYED)
    await world.settle()
    assert (await world.state.get(WORD)).metadata.tearing_down


async def test_it_stays_as_it_is_while_somebody_holds_it(make: Make) -> None:
    async with running(make()) as world:
        await leave_former_output(world)
        await set_number(world, 2)
        await world.settle()

        former = await world.state.get(StrResource, "one")
        assert former.metadata.tearing_down
        assert former.spec.value == "1"


async def test_the_new_one_is_made_when_it_is_let_go_of(make: Make) -> None:
    async with running(make()) as world:
        await leave_former_output(world)
        await set_number(world, 2)
        await world.settle()
        await let_go(world, WORD)
        await world.expect(string("one", "2"))
        assert not (await world.state.get(WORD)).metadata.tearing_down


async def test_none_is_made_when_none_is_wanted_any_more(make: Make) -> None:
    async with running(make()) as world:
        await leave_former_output(world)
        await let_go(world, WORD)
        await world.expect_gone(WORD)


@pytest.mark.parametrize("number", [SKIPPED, FAILING])
async def test_it_goes_even_if_the_input_is_skipped_or_fails(make: Make, number: int) -> None:
    async with running(make(), allow_failures=True) as world:
        await leave_former_output(world)
        await set_number(world, number)
        await world.settle()
        await let_go(world, WORD)
        await world.clock.advance(60)
        await world.expect_gone(WORD)


async def test_one_of_an_input_that_is_gone_makes_way_for_that_of_a_new_input() -> None:
    async with running(LooseSpell()) as world:
        await set_number(world, 1)
        await world.settle()
        await hold(world, WORD)
        await world.state.destroy(NUMBER)
        await world.settle()
        assert (await world.state.get(WORD)).metadata.tearing_down

        await set_number(world, 2)
        await let_go(world, WORD)
        await world.expect(string("one", "2"))
