"""A server lets in whom it can serve, and sees them off when it stops."""

from __future__ import annotations

import asyncio
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.limits import Allowance
from cosi.rpc.http2.status import Code
from cosi.rpc.native.admission import Bounds
from cosi.rpc.native.connection import Connection
from cosi.rpc.native.server import Server, serving
from cosi.rpc.seam import Call, Frames, Unary, frame
from cosi.rpc.serving import Transport, serving_services
from tests.cosi.rpc.native.handlers import ECHO, PATIENCE_SECONDS, UNARY, Stay, echo, served, service
from tests.cosi.rpc.native.raw_client import RawClient, connected

pytestmark = pytest.mark.anyio

LONG_SECONDS = 3600.0


# --- sockets ---


async def test_a_unix_socket_is_for_its_user_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as where:
        assert stat.S_IMODE(Path(where.path).stat().st_mode) == 0o600

    assert not Path(where.path).exists()


async def test_what_is_sent_over_tcp_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent_at_once = []

    class Observed(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            taken = transport.get_extra_info("socket")
            sent_at_once.append(bool(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    monkeypatch.setattr("cosi.rpc.native.server.Connection", Observed)
    async with (
        serving_services([service()], [Address(host="127.0.0.1")], transport=Transport.NATIVE) as (where,),
        connected(where) as client,
    ):
        await client.ask(ECHO)

    assert sent_at_once == [True]


async def test_every_address_is_served(tmp_path: Path) -> None:
    wanted = [Address(path=str(tmp_path / "socket")), Address(host="127.0.0.1"), Address(host="127.0.0.1")]
    async with serving_services([service()], wanted, transport=Transport.NATIVE) as taken:
        assert len(set(taken)) == len(wanted)
        for where in taken:
            async with connected(where) as client:
                assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]


async def test_there_is_room_for_so_many_clients_and_again_when_one_leaves(tmp_path: Path) -> None:
    async with served(tmp_path, bounds=Bounds(clients=2)) as where, connected(where) as first:
        await first.ask(ECHO)
        async with connected(where) as second:
            await second.ask(ECHO)
            async with connected(where) as third:
                assert await third.end() == []
            for client in (first, second):
                assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]
        await first.settle()
        async with connected(where) as fourth:
            assert (await fourth.ask(ECHO, b"hello")).contents == [b"hello"]


async def test_one_host_has_so_many_clients_and_a_client_so_many_calls() -> None:
    bounds, stay = Bounds(clients_of_a_host=1, each=Allowance(streams=1)), Stay()

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"")

    async with (
        serving([service(unary=unary)], [Address(host="127.0.0.1")], None, bounds) as (where,),
        connected(where) as first,
    ):
        await first.call(UNARY, b"")
        async with connected(where) as second:
            assert await second.end() == []
        assert (await first.ask(ECHO)).reset == ErrorCode.REFUSED_STREAM
        stay.leave.set()


async def test_strangers_push_out_strangers_and_no_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosi.rpc.native.admission.MAX_STRANGERS", 2)
    async with served(tmp_path) as where, connected(where) as client, AsyncExitStack() as strangers:
        await client.ask(ECHO)
        first, *_ = [await strangers.enter_async_context(connected(where, greets=False)) for _ in range(3)]

        assert await first.end() == []
        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]


# --- the end ---


class Running:
    """A server that ends when a test says so."""

    def __init__(self) -> None:
        self.where = Address()
        self.stop = anyio.Event()
        self.stopped = anyio.Event()


@asynccontextmanager
async def running(directory: Path, unary: Unary = echo) -> AsyncIterator[Running]:
    server, started = Running(), anyio.Event()

    async def run() -> None:
        async with served(directory, unary=unary) as server.where:
            started.set()
            await server.stop.wait()
        server.stopped.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await started.wait()
        try:
            yield server
        finally:
            server.stop.set()


def never_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test that takes no time show that nothing waited for these."""
    monkeypatch.setattr("cosi.rpc.native.server.GRACE_SECONDS", LONG_SECONDS)
    monkeypatch.setattr("cosi.rpc.native.connection.LINGER_SECONDS", LONG_SECONDS)


async def farewell(client: RawClient) -> None:
    """Hear that the server is going, and that it will know by a ping when we know."""
    goodbye = frames.GoAway(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR, b"shutting down")
    await client.until(lambda: goodbye in client.heard and isinstance(client.heard[-1], frames.Ping))


async def test_calls_under_way_are_finished_and_no_others_begun_when_the_server_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_hurry(monkeypatch)
    stay = Stay()

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"finished")

    async with running(tmp_path, unary) as server, connected(server.where) as client:
        waiting = await client.call(UNARY, b"")
        await stay.began.wait()
        server.stop.set()

        await farewell(client)
        last, on_its_way = client.request(ECHO, b"on its way")
        await client.say(*on_its_way, client.pong())
        assert (await client.answer(last)).contents == [b"on its way"]
        await client.until(lambda: frames.GoAway(last, ErrorCode.NO_ERROR) in client.heard)
        too_late = await client.answer(await client.call(ECHO, b"too late"))
        with pytest.raises(OSError):
            await anyio.connect_unix(server.where.path)
        assert not server.stopped.is_set()
        stay.leave.set()
        answer = await client.answer(waiting)
        await client.end()

    assert (answer.contents, answer.code) == ([b"finished"], Code.OK)
    assert too_late.reset == ErrorCode.REFUSED_STREAM


async def test_calls_that_go_on_for_too_long_are_ended_when_the_server_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosi.rpc.native.server.GRACE_SECONDS", 0.01)
    stay = Stay()

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"")

    async with running(tmp_path, unary) as server, connected(server.where) as client:
        await client.call(UNARY, b"")
        await stay.began.wait()
        server.stop.set()
        await server.stopped.wait()
        await client.end()

    assert stay.cancelled


@pytest.mark.parametrize("said", ["all", "settings", "preface", "half a preface", "nothing"])
async def test_a_client_without_calls_does_not_keep_the_server_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    never_hurry(monkeypatch)
    greeting = frames.PREFACE + frames.Settings().serialize()
    lengths = {"settings": len(greeting), "preface": len(frames.PREFACE), "half a preface": 10, "nothing": 0}
    async with running(tmp_path) as server:
        async with connected(server.where, greets=said == "all") as client, connected(server.where) as other:
            if said == "all":
                await client.ask(ECHO)
            else:
                await client.say(greeting[: lengths[said]])
            await other.settle()
            server.stop.set()
            await farewell(other)
            await other.say(other.pong())
            await other.end()
            if said in ("all", "settings", "preface"):
                await farewell(client)
                await client.say(greeting[lengths.get(said, len(greeting)) :], client.pong())
            await client.end()
        await server.stopped.wait()


async def test_who_was_let_in_when_the_server_had_stopped_is_seen_off_as_well() -> None:
    loop, stopped = asyncio.get_running_loop(), Server([service()])
    await stopped.stop()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with theirs, anyio.fail_after(PATIENCE_SECONDS):
        transport, _ = await loop.connect_accepted_socket(lambda: Connection(stopped, None), ours)
        try:
            assert await loop.sock_recv(theirs, 1) == b""
        finally:
            transport.abort()
