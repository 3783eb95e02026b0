"""A channel that is closed leaves nothing behind: no call, no socket, no task, no line in a log."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from anyio.abc import ByteStream, SocketAttribute

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
from tests.cosi.rpc.remote.asking import Asking, ask, failures
from tests.cosi.rpc.remote.raw_server import ABOUT, RawServer, calling, get, listening, meet, watch

pytestmark = pytest.mark.anyio

MORE_THAN_A_SOCKET_HOLDS = 8 << 20


async def test_the_server_is_told_goodbye(where: Address) -> None:
    async with listening(where) as server:
        async with calling(where) as calls:
            asking = ask(get(calls))
            peer = await server.accepted()
            await peer.answer(await peer.called())
            await asking

        assert (await peer.end())[-1] == frames.GoAway(0, ErrorCode.NO_ERROR, b"the connection was closed")


async def test_calls_in_every_stage_end_at_once(where: Address) -> None:
    async with listening(where, {frames.MAX_CONCURRENT_STREAMS: 2}) as server:
        async with calling(where) as calls:
            asking: list[Asking[Any]] = [ask(get(calls)), ask(watch(calls).read())]
            peer = await server.accepted()
            await peer.called()
            await peer.called()
            in_line = ask(get(calls))
            await peer.settle()
        ended = await failures([*asking, in_line])

    assert [type(error) for error in ended] == [Closed] * 3


async def test_an_attempt_to_connect_ends_with_its_channel(where: Address) -> None:
    async with listening(where, greets=False) as server:
        async with calling(where) as calls:
            asking = ask(get(calls))
            peer = await server.accepted()
        with pytest.raises(Closed):
            await asking
        await peer.end()


async def test_a_handshake_ends_with_its_channel(tmp_path: Path) -> None:
    begun, over = anyio.Event(), anyio.Event()

    async def silent(stream: ByteStream) -> None:
        async with stream:
            await stream.receive(1)
            begun.set()
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while await stream.receive():
                    pass
            over.set()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    where = Address(host="127.0.0.1", port=listener.extra(SocketAttribute.local_port))
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, silent)
        async with calling(where, ClientTls(Authority(tmp_path).certificate)) as calls:
            asking = ask(get(calls))
            await begun.wait()
        with anyio.fail_after(CONNECT_SECONDS / 2):
            with pytest.raises(Closed):
                await asking
            await over.wait()
        tasks.cancel_scope.cancel()


async def test_no_task_and_no_socket_is_left(where: Address, anyio_backend_name: str) -> None:
    before = await tasks_and_files(anyio_backend_name)
    async with listening(where) as server:
        async with calling(where) as calls:
            peer = await meet(server, calls)
            watching = ask(watch(calls).read())
            await peer.called()
        await watching.over()

    assert await tasks_and_files(anyio_backend_name) == before


async def tasks_and_files(backend: str) -> tuple[int, int]:
    """Return how many the process has once there is nothing more to do."""
    await anyio.wait_all_tasks_blocked()
    tasks = trio.lowlevel.current_statistics().tasks_living if backend == "trio" else len(asyncio.all_tasks())
    return tasks, open_files()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_call_that_is_shielded_is_made_though_all_around_the_client_is_cancelled(where: Address) -> None:
    async with listening(where) as server:
        with anyio.CancelScope() as around:
            async with calling(where) as calls:
                peer = await meet(server, calls)
                around.cancel()
                with anyio.CancelScope(shield=True):
                    asking = ask(get(calls))
                    await peer.answer(await peer.called())

                    assert await asking == b"answer"


async def test_what_is_raised_beside_a_client_comes_out_as_it_is(where: Address) -> None:
    async def fail(server: RawServer) -> None:
        async with calling(where) as calls:
            await meet(server, calls)
            raise ZeroDivisionError

    async with listening(where) as server:
        with pytest.raises(ZeroDivisionError):
            await fail(server)


@pytest.mark.parametrize("cancelled", [False, True], ids=["left", "cancelled"])
async def test_a_server_that_does_not_read_holds_nobody_up_and_no_socket(
    where: Address, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    monkeypatch.setattr(channel, "CLOSE_SECONDS", 0.01)
    window = {frames.INITIAL_WINDOW_SIZE: MORE_THAN_A_SOCKET_HOLDS}

    async with listening(where, window) as server:
        before = open_files()
        with anyio.CancelScope() as around:
            async with calling(where) as calls:
                large = state_pb2.GetRequest(id="x" * MORE_THAN_A_SOCKET_HOLDS)
                asking = ask(calls.unary(Method.GET, large, ABOUT))
                peer = await server.accepted()
                await peer.say(frames.WindowUpdate(0, MORE_THAN_A_SOCKET_HOLDS))
                await anyio.wait_all_tasks_blocked()
                if cancelled:
                    around.cancel()
        assert open_files() == before + 1, "the server's end is open, and nothing else"
        with pytest.raises(Closed):
            await asking


async def test_nothing_is_logged_when_either_side_goes(where: Address, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async with listening(where) as server, calling(where) as calls:
        for _ in range(2):
            asking = ask(get(calls))
            peer = await server.accepted()
            await peer.answer(await peer.called())
            await asking
            watching = ask(watch(calls).read())
            await peer.called()
            await peer.hang_up()
            await watching.over()
            assert watching.error is not None
        del watching

    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
