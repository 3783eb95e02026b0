"""A handler that waits may do so as in any task: with timeouts, scopes and tasks of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, frame
from tests.cosi.rpc.native.handlers import SERVER, UNARY, served
from tests.cosi.rpc.native.raw_client import connected

pytestmark = pytest.mark.anyio


async def _anyio_fails(seconds: float) -> str:
    try:
        with anyio.fail_after(seconds):
            await anyio.sleep_forever()
    except TimeoutError:
        return "in time"
    return "never"


async def _anyio_moves_on(seconds: float) -> str:
    with anyio.move_on_after(seconds) as scope:
        await anyio.sleep_forever()
    return "in time" if scope.cancelled_caught else "never"


async def _asyncio_fails(seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            await anyio.sleep_forever()
    except TimeoutError:
        return "in time"
    return "never"


async def _asyncio_waits(seconds: float) -> str:
    try:
        await asyncio.wait_for(anyio.sleep_forever(), seconds)
    except TimeoutError:
        return "in time"
    return "never"


@pytest.mark.parametrize("seconds", [0, 0.01])
@pytest.mark.parametrize("timeout", [_anyio_fails, _anyio_moves_on, _asyncio_fails, _asyncio_waits])
async def test_a_timeout_that_a_handler_sets_itself_ends_its_wait(
    tmp_path: Path, timeout: Callable[[float], Awaitable[str]], seconds: float
) -> None:
    async def unary(_: bytes, _call: Call) -> Frames:
        return frame((await timeout(seconds)).encode())

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        assert (await client.ask(UNARY)).contents == [b"in time"]


async def test_a_timeout_around_answers_ends_the_wait_between_them(tmp_path: Path) -> None:
    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        with anyio.move_on_after(0.01):
            yield frame(b"one")
            yield frame(b"two")
            await anyio.sleep_forever()
        yield frame(b"three")

    async with served(tmp_path, server=server) as where, connected(where) as client:
        answer = await client.ask(SERVER)

    assert (answer.contents, answer.code) == ([b"one", b"two", b"three"], Code.OK)


async def test_a_handler_may_run_tasks_of_its_own(tmp_path: Path) -> None:
    async def unary(_: bytes, _call: Call) -> Frames:
        done: list[int] = []

        async def work(number: int) -> None:
            await anyio.lowlevel.checkpoint()
            done.append(number)

        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(work, number)
        return frame(repr(done).encode())

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        assert (await client.ask(UNARY)).contents == [b"[0, 1, 2]"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("method", [UNARY, SERVER])
async def test_a_handler_that_waits_for_something_cancelled_says_so_to_its_client(
    tmp_path: Path, method: str, at_once: bool
) -> None:
    async def unary(_: bytes, _call: Call) -> Frames:
        lost = asyncio.get_running_loop().create_future()
        lost.cancel()
        if not at_once:
            await anyio.lowlevel.checkpoint()
        return frame(await lost)

    async def server(request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield await unary(request, call)

    async with served(tmp_path, unary=unary, server=server) as where, connected(where) as client:
        assert (await client.ask(method)).code is Code.CANCELLED
