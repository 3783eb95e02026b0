"""Who ends the node first decides whether it starts again, except that a stop is final."""

import anyio
import pytest

from machined.power import Ending, Power

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("thrown", "ending"),
    [
        ([Ending.REBOOT], Ending.REBOOT),
        ([Ending.REBOOT, Ending.SHUTDOWN], Ending.SHUTDOWN),
        ([Ending.SHUTDOWN, Ending.REBOOT], Ending.SHUTDOWN),
    ],
)
async def test_a_stop_is_final(thrown: list[Ending], ending: Ending) -> None:
    power = Power()
    for each in thrown:
        power.end(each)

    with anyio.fail_after(1):
        assert await power.ended() is ending
