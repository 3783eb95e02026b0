"""A handler runs where its request arrives, and can't tell: tasks, timeouts, contexts are as anywhere else."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.native.hosts import SPARE_HOSTS
from cosi.rpc.seam import Call, Feed, Frames, frame
from cosi.rpc.serving import Transport, serving_services
from tests.cosi.rpc.http2.server.peer import message, request
from tests.cosi.rpc.native.handlers import CLIENT, ECHO, SERVER, UNARY, Stay, served, service
from tests.cosi.rpc.native.raw_client import connected, fields
from tests.cosi.rpc.sample_service import Letters

pytestmark = pytest.mark.anyio

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


# --- without a task ---


async def test_a_handler_that_never_waits_makes_no_task(tmp_path: Path) -> None:
    async def many(content: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        for _number in range(3):
            yield frame(content)

    async with served(tmp_path, server=many) as where, connected(where) as client:
        await client.settle()
        async with _counting_tasks() as made:
            for method in (ECHO, SERVER) * 10:
                assert (await client.ask(method, b"hello")).code is Code.OK

    assert made == []


async def test_a_feed_needs_no_task_however_long_it_brings_nothing(tmp_path: Path) -> None:
    feed = Letters()

    async def fed(_: bytes, _call: Call) -> AsyncGenerator[Frames | Feed, None]:
        yield feed

    async with served(tmp_path, server=fed) as where, connected(where) as client:
        await client.settle()
        async with _counting_tasks() as made:
            call = await client.call(SERVER, b"")
            await feed.waited_for.wait()
            feed.put(frame(b"one"))
            await client.begun(call)
            feed.put(None)
            answer = await client.answer(call)

    assert (answer.contents, answer.code, made) == ([b"one"], Code.OK, [])


# --- in a task ---


async def _wait_a_turn() -> None:
    await asyncio.sleep(0)


async def test_a_handler_that_waits_goes_on_in_the_task_it_began_in(tmp_path: Path) -> None:
    seen = []

    async def unary(_: bytes, _call: Call) -> Frames:
        for _number in range(3):
            seen.append(asyncio.current_task())
            await _wait_a_turn()
        return frame(b"")

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        for _number in range(3):
            seen.append(asyncio.current_task())
            yield frame(b"")
            seen.append(asyncio.current_task())
            await _wait_a_turn()

    async with served(tmp_path, unary=unary, server=server) as where, connected(where) as client:
        for method, times in ((UNARY, 3), (SERVER, 6)):
            seen.clear()
            assert (await client.ask(method)).code is Code.OK
            assert len(seen) == times
            assert len(set(seen)) == 1
            assert seen[0] is not None


async def test_a_handlers_context_is_its_own_and_outlasts_its_waits(tmp_path: Path) -> None:
    async def unary(content: bytes, _: Call) -> Frames:
        before = variable.get()
        token = variable.set(content.decode())
        await _wait_a_turn()
        after = variable.get()
        variable.reset(token)
        return frame(f"{before} {after} {variable.get()}".encode())

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        calls = [await client.call(UNARY, content) for content in (b"one", b"two")]
        answers = [(await client.answer(call)).contents for call in calls]

    assert answers == [[b"unset one unset"], [b"unset two unset"]]


@pytest.mark.parametrize("waits", ["never", "before it answers", "in between"])
async def test_a_stream_has_one_context_from_its_first_answer_to_its_last(tmp_path: Path, waits: str) -> None:
    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        token = variable.set("mine")
        if waits == "before it answers":
            await _wait_a_turn()
        yield frame(variable.get().encode())
        if waits == "in between":
            await _wait_a_turn()
        yield frame(variable.get().encode())
        variable.reset(token)

    async with served(tmp_path, server=server) as where, connected(where) as client:
        answer = await client.ask(SERVER)

    assert (answer.contents, answer.code, variable.get()) == ([b"mine", b"mine"], Code.OK, "unset")


# --- many ---


async def test_more_handlers_may_wait_than_there_are_spare_hosts(tmp_path: Path) -> None:
    go = anyio.Event()

    async def unary(content: bytes, _: Call) -> Frames:
        await go.wait()
        return frame(content)

    async def server(content: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        yield frame(b"first")
        await go.wait()
        yield frame(content)

    ids = range(1, 8 * SPARE_HOSTS, 2)
    async with served(tmp_path, unary=unary, server=server) as where, connected(where) as client:
        methods = {id: (UNARY, SERVER)[id // 2 % 2] for id in ids}
        # All in one piece, so that no host can be made in between.
        await client.say(
            *(
                part
                for id, method in methods.items()
                for part in (request(id, fields(method)), message(id, b"%d" % id, end=True))
            )
        )
        async with connected(where) as other:
            assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]
        go.set()
        answers = {id: (await client.answer(id)).contents for id in ids}

    assert answers == {id: ([b"first"] if method == SERVER else []) + [b"%d" % id] for id, method in methods.items()}


# --- the end ---


async def test_a_server_that_stops_cancels_handlers_and_waits_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosi.rpc.native.server.GRACE_SECONDS", 0.01)
    stays, tidied = [Stay() for _ in range(2 * SPARE_HOSTS)], 0
    waiting = iter(stays)

    async def unary(_: bytes, _call: Call) -> Frames:
        nonlocal tidied
        stay = next(waiting)
        try:
            await stay.here()
        finally:
            with anyio.CancelScope(shield=True):
                await _wait_a_turn()
                tidied += 1
        return frame(b"")

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        for _ in stays:
            await client.call(UNARY, b"")
        await stays[-1].began.wait()

    assert [stay.cancelled for stay in stays] == [True] * len(stays)
    assert tidied == len(stays)


async def test_a_server_that_stops_leaves_no_task_behind(tmp_path: Path) -> None:
    before = asyncio.all_tasks()

    async with served(tmp_path) as where, connected(where) as client:
        await client.ask(ECHO)
        assert len(asyncio.all_tasks()) > len(before)

    assert asyncio.all_tasks() == before


def test_whoever_runs_the_loop_handlers_may_wait(tmp_path: Path) -> None:
    async def join(requests: AsyncIterator[bytes], _: Call) -> Frames:
        return frame(b"".join([content async for content in requests]))

    async def main() -> list[bytes]:
        where = Address(path=str(tmp_path / "socket"))
        async with (
            serving_services([service(client=join)], [where], transport=Transport.NATIVE),
            connected(where) as client,
        ):
            call = await client.call(CLIENT, end=False)
            await client.settle()
            await client.say(message(call, b"hello", end=True))
            return (await client.answer(call)).contents

    # Not anyio's runner, which tells all that the loop calls back what library it is.
    assert asyncio.run(main()) == [b"hello"]


@asynccontextmanager
async def _counting_tasks() -> AsyncIterator[list[str]]:
    """Collect what the tasks do that are made while the body runs."""
    made: list[str] = []

    def make(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        made.append(repr(coroutine))
        return asyncio.Task(coroutine, loop=loop, **more)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(make)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        loop.set_task_factory(None)
