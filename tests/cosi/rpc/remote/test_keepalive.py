"""A silent server is asked whether it is there, if anybody waits for it; one that does not answer is given up."""

from __future__ import annotations

import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.remote.keepalive import KEEPALIVE_SECONDS, PING_SECONDS
from cosi.state import errors
from tests.cosi.rpc.remote.asking import ask
from tests.cosi.rpc.remote.clock import Clock
from tests.cosi.rpc.remote.raw_server import Peer, calling, get, listening, message, opening, watch

pytestmark = pytest.mark.anyio


def pings(peer: Peer) -> list[frames.Ping]:
    return [frame for frame in peer.heard if isinstance(frame, frames.Ping) and not frame.ack]


async def test_a_server_that_is_silent_while_somebody_waits_is_asked_and_goes_on(where: Address, clock: Clock) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        stream_id = await peer.called()
        for number in (1, 2):
            await clock.advance(KEEPALIVE_SECONDS)
            await peer.until(lambda number=number: len(pings(peer)) == number)  # type: ignore[misc]
            await peer.say(frames.Ping(pings(peer)[-1].payload, ack=True))
            await peer.settle()
            await clock.advance(PING_SECONDS)
        await peer.answer(stream_id)

        assert await asking == b"answer"


async def test_a_server_that_does_not_answer_is_given_up(where: Address, clock: Clock) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        await peer.called()
        await clock.advance(KEEPALIVE_SECONDS)
        await clock.advance(PING_SECONDS)

        with pytest.raises(errors.Unavailable, match=rf"the server at {where} has not answered a ping for 20 s"):
            await asking
        await peer.end()


async def test_nobody_is_asked_while_nobody_waits(where: Address, clock: Clock) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        await peer.answer(await peer.called())
        await asking
        await clock.advance(KEEPALIVE_SECONDS)
        await clock.advance(PING_SECONDS)
        await peer.settle()

    assert pings(peer) == []


async def test_a_server_that_speaks_is_not_asked(where: Address, clock: Clock) -> None:
    async with listening(where) as server, calling(where) as calls:
        watching = watch(calls)
        reading = ask(watching.read())
        peer = await server.accepted()
        stream_id = await peer.called()
        await peer.say(opening(stream_id), message(stream_id, b""))
        await reading
        for _ in range(3):
            await clock.advance(KEEPALIVE_SECONDS * 0.75)
            await peer.say(message(stream_id, b"news"))
            assert await watching.read() == b"news"

        await peer.settle()
    assert pings(peer) == []
