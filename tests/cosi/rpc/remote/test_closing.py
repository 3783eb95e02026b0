"""A channel that is closed leaves nothing behind: no call, no socket, no task, no line in a log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.remote import channel
from cosi.rpc.remote.channel import Closed
from cosi.rpc.remote.dialer import CONNECT_SECONDS
from cosi.rpc.tls import ClientTls
from tests.cosi.rpc.certificates import Authority
from tests.cosi.rpc.remote.raw_server import ABOUT, calling, get, listening, watch

pytestmark = pytest.mark.anyio

MORE_THAN_A_SOCKET_HOLDS = 8 << 20


async def test_the_server_is_told_goodbye(where: Address) -> None:
    async with listening(where) as server:
        async with calling(where) as calls:
            asking = asyncio.create_task(get(calls))
            peer = await server.accepted()
            await peer.answer(await peer.called())
            await asking

        assert (await peer.end())[-1] == frames.GoAway(0, ErrorCode.NO_ERROR, b"the connection was closed")


async def test_calls_in_every_stage_end_at_once(where: Address) -> None:
    async with listening(where, {frames.MAX_CONCURRENT_STREAMS: 2}) as server:
        async with calling(where) as calls:
            asking = [asyncio.create_task(get(calls)), asyncio.create_task(watch(calls).read())]
            peer = await server.accepted()
            await peer.called()
            await peer.called()
            in_line = asyncio.create_task(get(calls))
            await peer.settle()
        ended = await asyncio.gather(*asking, in_line, return_exceptions=True)

    assert [type(error) for error in ended] == [Closed] * 3


async def test_an_attempt_to_connect_ends_with_its_channel(where: Address) -> None:
    before = asyncio.all_tasks()
    async with listening(where, greets=False) as server:
        async with calling(where) as calls:
            asking = asyncio.create_task(get(calls))
            peer = await server.accepted()
        with pytest.raises(Closed):
            await asking
        await peer.end()

    assert asyncio.all_tasks() == before


async def test_a_handshake_ends_with_its_channel(tmp_path: Path) -> None:
    begun, over = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        begun.set()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        over.set()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        where = Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        async with calling(where, ClientTls(Authority(tmp_path).certificate)) as calls:
            asking = asyncio.create_task(get(calls))
            await begun.wait()
        with anyio.fail_after(CONNECT_SECONDS / 2):
            with pytest.raises(Closed):
                await asking
            await over.wait()


async def test_a_server_that_does_not_read_holds_nobody_up(where: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "CLOSE_SECONDS", 0.01)
    window = {frames.INITIAL_WINDOW_SIZE: MORE_THAN_A_SOCKET_HOLDS}

    async with listening(where, window) as server:
        async with calling(where) as calls:
            large = state_pb2.GetRequest(id="x" * MORE_THAN_A_SOCKET_HOLDS)
            asking = asyncio.create_task(calls.unary(Method.GET, large, ABOUT))
            peer = await server.accepted()
            await peer.say(frames.WindowUpdate(0, MORE_THAN_A_SOCKET_HOLDS))
            await anyio.wait_all_tasks_blocked()
        with pytest.raises(Closed):
            await asking


async def test_nothing_is_logged_when_either_side_goes(where: Address, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async with listening(where) as server, calling(where) as calls:
        for _ in range(2):
            asking = asyncio.create_task(get(calls))
            peer = await server.accepted()
            await peer.answer(await peer.called())
            await asking
            watching = asyncio.create_task(watch(calls).read())
            await peer.called()
            await peer.hang_up()
            await asyncio.wait((watching,))
            assert watching.exception() is not None
        del watching

    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
