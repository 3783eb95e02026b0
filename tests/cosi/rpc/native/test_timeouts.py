"""A client that does not begin, does not read, or is not there any more is given up; who does its part stays."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.native import connection
from cosi.rpc.seam import Call, Frames, frame
from tests.cosi.rpc.native.handlers import ECHO, SERVER, UNARY, Stay, served
from tests.cosi.rpc.native.raw_client import connected

pytestmark = pytest.mark.anyio

SOON_SECONDS = 0.03
WIDE = {frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}
WIDE_TOO = frames.WindowUpdate(0, frames.MAX_WINDOW_BYTES - 65_535)


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosi.rpc.native.server.LOOK_AFTER_SECONDS", SOON_SECONDS / 3)


def hurry(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Shorten some of a connection's timeouts."""
    for name in names:
        assert hasattr(connection, name)
        monkeypatch.setattr(connection, name, SOON_SECONDS)


# --- who does not begin ---


@pytest.mark.parametrize("said", [b"", frames.PREFACE[:5], frames.PREFACE, frames.PREFACE + bytes(5)])
async def test_a_client_that_does_not_begin_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    async with served(tmp_path) as where, connected(where) as quick, connected(where, greets=False) as slow:
        await quick.settle()
        hurry(monkeypatch, "HANDSHAKE_SECONDS")
        await slow.say(said)
        await slow.end()

        assert (await quick.ask(ECHO, b"hello")).contents == [b"hello"]


async def test_a_client_that_dribbles_its_greeting_is_given_up_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, "HANDSHAKE_SECONDS")
    async with served(tmp_path) as where, connected(where, greets=False) as slow:
        for byte in frames.PREFACE + frames.Settings().serialize():
            with suppress(anyio.BrokenResourceError):
                await slow.say(bytes([byte]))
            with anyio.move_on_after(SOON_SECONDS / 5):
                await slow.end()
                return

    pytest.fail("it had all the time in the world")


# --- who is not there ---


async def test_a_client_that_is_silent_is_asked_whether_it_is_there_and_stays_while_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, "KEEPALIVE_SECONDS")
    stay = Stay()

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"still here")

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        call = await client.call(UNARY, b"")
        for _ in range(3):
            client.heard.clear()
            await client.until(lambda: any(isinstance(each, frames.Ping) for each in client.heard))
            await client.say(client.pong())
        stay.leave.set()

        assert (await client.answer(call)).contents == [b"still here"]


async def test_a_client_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, "KEEPALIVE_SECONDS", "PING_SECONDS")
    stay = Stay()

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"")

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        await client.call(UNARY, b"")
        heard = await client.end()

    assert [type(each) for each in heard[-1:]] == [frames.Ping]
    assert stay.cancelled


# --- who does not read ---


async def test_a_client_that_does_not_read_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch, "STALL_SECONDS")
    ended, made_bytes = anyio.Event(), 0

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made_bytes
        try:
            while True:
                made_bytes += 1 << 16
                yield frame(bytes(1 << 16))
        finally:
            ended.set()

    async with served(tmp_path, server=server) as where, connected(where, WIDE) as client:
        await client.say(WIDE_TOO)
        await client.call(SERVER, b"")
        await ended.wait()
        async with connected(where) as other:
            assert (await other.ask(ECHO, b"hello")).contents == [b"hello"]

    assert made_bytes < 4 << 20


async def test_a_client_that_is_told_why_it_is_sent_away_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch, "LINGER_SECONDS")
    async with served(tmp_path) as where, connected(where) as client:
        await client.settle()
        await client.say(frames.Data(0, b""))
        assert (await client.goodbye()).debug == b"a DATA frame belongs to no stream"
        # Its own end of the socket is still open. What it says now is not read, until it fails.
        with suppress(anyio.BrokenResourceError):
            while True:
                await client.say(frames.Ping(bytes(8)))
