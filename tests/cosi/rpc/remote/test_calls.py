"""Calls share a connection and leave each other alone: cancelling, windows, and how many there may be at a time."""

from __future__ import annotations

import anyio
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.http2 import frames
from cosi.rpc.http2.client_connection import STREAM_WINDOW_BYTES
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_response import MAX_MESSAGE_BYTES
from cosi.rpc.remote.channel import Closed
from cosi.state import errors
from tests.cosi.rpc.remote.asking import answers_of, ask, ask_in_turn
from tests.cosi.rpc.remote.raw_server import (
    ABOUT,
    Peer,
    calling,
    get,
    listening,
    meet,
    message,
    opening,
    trailers,
    watch,
)

pytestmark = pytest.mark.anyio

PIECE = bytes(60_000)


# --- cancelling ---


async def test_a_call_that_is_given_up_resets_its_stream_at_once_and_no_other(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)
        given_up, other = await ask_in_turn(get(calls), get(calls))
        one, two = await peer.called(), await peer.called()
        given_up.cancel()
        await peer.until(lambda: frames.RstStream(one, ErrorCode.CANCEL) in peer.heard)
        await peer.say(opening(one), message(one, b"too late"), trailers(one))
        await peer.answer(two)

        assert await other == b"answer"
    assert given_up.cancelled
    assert [frame.stream_id for frame in peer.heard if isinstance(frame, frames.RstStream)] == [one]


async def test_a_read_that_is_given_up_takes_nothing(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        watching = watch(calls)
        impatient = ask(watching.read())
        peer = await server.accepted()
        stream_id = await peer.called()
        impatient.cancel()
        await impatient.over()
        with anyio.move_on_after(0):
            await watching.read()
        await peer.say(opening(stream_id), message(stream_id, b"one"), trailers(stream_id))

        assert [await watching.read(), await watching.read()] == [b"one", None]


async def test_a_stream_that_is_closed_ends_for_its_reader_too(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        watching = watch(calls)
        reading = ask(watching.read())
        peer = await server.accepted()
        stream_id = await peer.called()
        watching.close()

        with pytest.raises(Closed):
            await reading
        await peer.until(lambda: frames.RstStream(stream_id, ErrorCode.CANCEL) in peer.heard)


async def test_a_stream_that_is_closed_while_it_waits_for_a_connection_is_never_begun(where: Address) -> None:
    async with listening(where, greets=False) as server, calling(where) as calls:
        watching = watch(calls)
        reading = ask(watching.read())
        peer = await server.accepted()
        watching.close()
        await peer.say(frames.Settings())

        with pytest.raises(Closed):
            await reading
        await peer.settle()
    assert peer.headers == {}


# --- answers ---


@pytest.mark.parametrize("contents", [[], [b"one", b"two"]], ids=["none", "two"])
async def test_an_answer_that_is_not_one_message_is_a_protocol_violation(where: Address, contents: list[bytes]) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        stream_id = await peer.called()
        await peer.say(opening(stream_id), *(message(stream_id, each) for each in contents), trailers(stream_id))

        with pytest.raises(
            errors.ProtocolViolation, match="the server's answer to Get makes no sense: not one message"
        ):
            await asking


async def test_a_request_too_large_for_anybody_is_refused_here(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)
        request = state_pb2.GetRequest(id="x" * MAX_MESSAGE_BYTES)

        with pytest.raises(errors.LimitExceeded, match=f"at most {MAX_MESSAGE_BYTES} can be sent"):
            await calls.unary(Method.GET, request, ABOUT)
        await peer.settle()

    assert list(peer.headers) == [1]


# --- flow control ---


async def test_a_stream_that_is_not_read_stops_its_sender_and_nobody_else(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        watching = watch(calls)
        first = ask(watching.read())
        peer = await server.accepted()
        stream_id = await peer.called()
        await peer.say(opening(stream_id), message(stream_id, b""))
        await first
        pieces = STREAM_WINDOW_BYTES // len(PIECE)
        await peer.say(*[message(stream_id, PIECE)] * pieces)
        asking = ask(get(calls))
        await peer.answer(await peer.called())
        assert await asking == b"answer"
        await peer.settle()
        assert credit(peer, stream_id) == 0

        for _ in range(pieces):
            assert await watching.read() == PIECE
        await peer.until(lambda: credit(peer, stream_id) >= STREAM_WINDOW_BYTES / 2)


def credit(peer: Peer, stream_id: int) -> int:
    updates = [frame for frame in peer.heard if isinstance(frame, frames.WindowUpdate)]
    return sum(frame.increment for frame in updates if frame.stream_id == stream_id)


# --- the server's limit of calls at a time ---


async def test_calls_over_the_servers_limit_wait_in_line(where: Address) -> None:
    async with listening(where, {frames.MAX_CONCURRENT_STREAMS: 1}) as server, calling(where) as calls:
        peer = await meet(server, calls)
        asking = await ask_in_turn(*[get(calls) for _ in range(3)])
        for number in range(3):
            stream_id = await peer.called()
            await peer.settle()
            assert len(peer.headers) == number + 2
            await peer.answer(stream_id, b"%d" % number)

        assert await answers_of(asking) == [b"0", b"1", b"2"]


async def test_who_gives_up_in_line_is_never_sent_and_holds_nobody_up(where: Address) -> None:
    async with listening(where, {frames.MAX_CONCURRENT_STREAMS: 1}) as server, calling(where) as calls:
        first = ask(get(calls))
        peer = await server.accepted()
        one = await peer.called()
        impatient, patient = ask(get(calls)), ask(get(calls))
        await peer.settle()
        impatient.cancel()
        await impatient.over()
        first.cancel()
        two = await peer.called()
        await peer.answer(two)

        assert await patient == b"answer"
    assert list(peer.headers) == [one, two]
    assert impatient.cancelled


async def test_a_server_that_takes_more_lets_in_who_waits_and_one_that_leaves_sends_them_away(where: Address) -> None:
    async with listening(where, {frames.MAX_CONCURRENT_STREAMS: 1}) as server, calling(where) as calls:
        peer = await meet(server, calls)
        asking = await ask_in_turn(*[get(calls) for _ in range(3)])
        one = await peer.called()
        await peer.say(frames.Settings({frames.MAX_CONCURRENT_STREAMS: 2}))
        two = await peer.called()
        await peer.say(frames.GoAway(two, ErrorCode.NO_ERROR, b"max_age"))
        with pytest.raises(errors.Unavailable, match="max_age"):
            await asking[2]
        await peer.answer(one)
        await peer.answer(two)

        assert [await asking[0], await asking[1]] == [b"answer"] * 2
