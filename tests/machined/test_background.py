"""Work that is left to the node is done while it runs, and refused once it ends."""

import anyio
import pytest

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Refusal
from machined.background import MAX_WAITING, Background

pytestmark = pytest.mark.anyio


async def test_what_is_left_before_the_start_is_done_after_it() -> None:
    background, done = Background(), anyio.Event()

    async def job() -> None:
        done.set()

    background.start_soon(job)
    async with anyio.create_task_group() as tasks:
        await tasks.start(background.run)
        with anyio.fail_after(5):
            await done.wait()
        tasks.cancel_scope.cancel()


async def test_who_asks_while_the_node_ends_is_told_so() -> None:
    background = Background()
    async with anyio.create_task_group() as tasks:
        await tasks.start(background.run)
        tasks.cancel_scope.cancel()

    with pytest.raises(Refusal, match="the node is stopping") as refused:
        background.start_soon(anyio.sleep_forever)

    assert refused.value.code is Code.UNAVAILABLE


async def test_who_asks_for_too_much_at_once_is_told_so() -> None:
    background = Background()
    for _ in range(MAX_WAITING):
        background.start_soon(anyio.sleep_forever)

    with pytest.raises(Refusal, match="too much is asked") as refused:
        background.start_soon(anyio.sleep_forever)
    async with anyio.create_task_group() as tasks:
        await tasks.start(background.run)
        tasks.cancel_scope.cancel()

    assert refused.value.code is Code.RESOURCE_EXHAUSTED
