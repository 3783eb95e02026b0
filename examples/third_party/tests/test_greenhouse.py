"""Windows open when it gets warm, whatever happens to those who open them."""

import pytest
from greenhouse.controllers import ClimateController, WindowController
from greenhouse.resources import Climate, ClimateSpec, Reading, ReadingSpec, Window, WindowSpec

from cosi.testing.interruptions import check_idempotent, check_survives_cuts
from cosi.testing.world import World, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def a_warm_day(world: World) -> None:
    await world.state.create(Reading.new("north", ReadingSpec(celsius=21)))
    await world.state.create(Reading.new("south", ReadingSpec(celsius=31)))
    await world.expect(Window.new("north", WindowSpec(open=False)))
    await world.expect(Window.new("south", WindowSpec(open=True)))
    await world.expect(Climate.new("greenhouse", ClimateSpec(windows=2, open=1)))


async def test_a_window_is_open_where_it_is_too_warm() -> None:
    async with running(WindowController(), ClimateController()) as world:
        await a_warm_day(world)
        await world.state.modify(Reading.new("south", ReadingSpec(celsius=20)))
        await world.expect(Climate.new("greenhouse", ClimateSpec(windows=2, open=0)))


async def test_nothing_is_lost_when_they_are_cut_off() -> None:
    await check_idempotent(lambda: [WindowController(), ClimateController()], a_warm_day)
    await check_survives_cuts(lambda: [WindowController(), ClimateController()], a_warm_day)
