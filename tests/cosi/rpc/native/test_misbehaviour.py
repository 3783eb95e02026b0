"""What a client does wrong is answered, and is nobody else's affair: not other clients', not the log's."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.hpack import encode_block
from cosi.rpc.http2.limits import Allowance
from cosi.rpc.http2.status import Code
from cosi.rpc.native.admission import Bounds
from cosi.rpc.seam import Call, Frames, frame
from tests.cosi.rpc.http2.server.peer import message
from tests.cosi.rpc.native.handlers import ECHO, SERVER, UNARY, Stay, served
from tests.cosi.rpc.native.raw_client import connected

pytestmark = pytest.mark.anyio


async def test_who_speaks_http_1_is_told_what_this_server_speaks(tmp_path: Path) -> None:
    async with served(tmp_path) as where, await anyio.connect_unix(where.path) as stream:
        await stream.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b"".join([part async for part in stream])

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 505 ")
    assert b"gRPC" in body


WRONG = {
    "HTTP/1": [b"GET / HTTP/1.1\r\n\r\n"],
    "TLS": [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)],
    "no settings": [frames.PREFACE, frames.Ping(bytes(8))],
    "a frame on no stream": [frames.PREFACE, frames.Settings(), message(0, b"")],
    "a frame too large": [frames.PREFACE, frames.Settings(), b"\xff\xff\xff" + bytes(6)],
    "half a block": [
        frames.PREFACE,
        frames.Settings(),
        frames.Headers(1, b"", end_headers=False),
        frames.Ping(bytes(8)),
    ],
    "no HPACK": [frames.PREFACE, frames.Settings(), frames.Headers(1, b"\xff\xff\xff\xff\xff\xff")],
    "no request": [frames.PREFACE, frames.Settings(), frames.Headers(1, encode_block([(b"a", b"b")]))],
    "pings": [frames.PREFACE, frames.Settings(), frames.Ping(bytes(8)).serialize() * 10_000],
    "resets": [
        frames.PREFACE,
        frames.Settings(),
        *(part for id in range(1, 12_000, 2) for part in (frames.Headers(id, b"\x82"), frames.RstStream(id, 8))),
    ],
}


@pytest.mark.parametrize("said", WRONG.values(), ids=WRONG)
async def test_what_a_client_does_wrong_is_its_own_affair(
    tmp_path: Path,
    said: list[bytes | frames.Frame],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with served(tmp_path) as where, connected(where) as other:
        async with await anyio.connect_unix(where.path) as stream:
            await stream.send(b"".join(each if isinstance(each, bytes) else each.serialize() for each in said))
            await other.settle()

        assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]

    assert capsys.readouterr() == ("", "")
    assert caplog.records == []


async def test_a_client_that_is_gone_in_the_middle_of_everything_is_not_worth_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stays = [Stay() for _ in range(3)]
    waiting = iter(stays)

    async def unary(_: bytes, _call: Call) -> Frames:
        await next(waiting).here()
        return frame(b"")

    async with served(tmp_path, unary=unary) as where, connected(where) as other:
        for stay in stays:
            async with connected(where) as client:
                await client.call(UNARY, b"")
                await client.call(ECHO, b"half", end=False)
                await stay.began.wait()
            await stay.ended.wait()
        assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]

    assert capsys.readouterr() == ("", "")
    assert caplog.records == []


async def test_who_is_turned_away_again_and_again_does_not_fill_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bounds = Bounds(clients=1)
    async with served(tmp_path, bounds=bounds) as where, connected(where) as first, AsyncExitStack() as others:
        await first.ask(ECHO)
        for _ in range(20):
            other = await others.enter_async_context(connected(where))
            await other.end()

    assert len(capsys.readouterr().out.splitlines()) <= 1


@pytest.mark.parametrize("method", [UNARY, SERVER])
async def test_the_requests_of_calls_that_go_on_for_ever_have_a_bound_together(tmp_path: Path, method: str) -> None:
    stay, large = Stay(), bytes(10_000)

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"")

    async def server(request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield await unary(request, call)

    bounds = Bounds(each=Allowance(buffered_bytes=25_000))
    async with served(tmp_path, unary=unary, server=server, bounds=bounds) as where, connected(where) as client:
        first, _, third = [await client.call(method, large) for _ in range(3)]
        refused = await client.answer(third)
        await client.say(frames.RstStream(first, ErrorCode.CANCEL))
        echoed = await client.ask(ECHO, large)
        fourth = await client.call(method, large)
        await client.settle()
        stay.leave.set()
        answered = await client.answer(fourth)

    assert refused.code is Code.RESOURCE_EXHAUSTED
    assert "end some of them" in refused.message
    assert echoed.contents == [large]
    assert answered.code is Code.OK


async def test_who_reads_no_answers_is_given_as_many_as_it_is_allowed_and_the_rest_later(tmp_path: Path) -> None:
    asked = 0

    async def unary(request: bytes, _call: Call) -> Frames:
        nonlocal asked
        asked += 1
        return frame(request)

    large, bounds = bytes(10_000), Bounds(each=Allowance(buffered_bytes=100_000, unsent_bytes=25_000))
    reads_nothing = {frames.INITIAL_WINDOW_SIZE: 0}
    async with served(tmp_path, unary=unary, bounds=bounds) as where, connected(where, reads_nothing) as client:
        calls = [await client.call(UNARY, large) for _ in range(6)]
        await client.settle()
        asked_at_first = asked
        await client.say(frames.Settings({frames.INITIAL_WINDOW_SIZE: 1 << 16}))
        for call in calls:
            await client.say(frames.WindowUpdate(0, len(large)))
            assert (await client.answer(call)).contents == [large]

    assert (asked_at_first, asked) == (3, 6)
