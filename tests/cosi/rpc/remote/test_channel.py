"""A connection is made when first needed, shared, made again when it broke, and handed over when the server leaves."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.remote import channel
from cosi.state import errors
from tests.cosi.rpc.remote.asking import Asking, answers_of, ask, failures
from tests.cosi.rpc.remote.raw_server import calling, get, listening, meet, message, opening, trailers, watch

pytestmark = pytest.mark.anyio

CALLERS = 16
LONG_SECONDS = 1000.0
NO_PING = frames.Ping(b"x")


async def test_nobody_connects_before_the_first_call(where: Address) -> None:
    async with listening(where) as server, calling(where):
        await checkpoint()

    assert server.peers == []


async def test_calls_that_begin_together_share_one_attempt_and_one_connection(where: Address) -> None:
    async with listening(where, greets=False) as server, calling(where) as calls:
        asking = [ask(get(calls)) for _ in range(CALLERS)]
        peer = await server.accepted()
        await peer.say(frames.Settings())
        for _ in range(CALLERS):
            await peer.answer(await peer.called())
        answers = await answers_of(asking)

    assert answers == [b"answer"] * CALLERS
    assert server.peers == [peer]


async def test_an_attempt_outlives_the_call_that_began_it(where: Address) -> None:
    async with listening(where, greets=False) as server, calling(where) as calls:
        first = ask(get(calls))
        peer = await server.accepted()
        first.cancel()
        second = ask(get(calls))
        await first.over()
        await peer.say(frames.Settings())
        await peer.answer(await peer.called())

        assert await second == b"answer"
    assert first.cancelled
    assert server.peers == [peer]


async def test_everybody_who_waits_is_told_at_once_why_nobody_answers(where: Address) -> None:
    async with calling(where) as calls:
        refused = await failures(ask(get(calls)) for _ in range(CALLERS))

    assert {type(error) for error in refused} == {errors.Unavailable}
    assert {str(error) for error in refused} == {
        f"there is no socket {where.path}: is the node running? Start it, or give the address of one that runs"
    }


async def test_a_server_that_was_not_there_is_not_asked_again_at_once(
    where: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "MIN_RECONNECT_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(channel, "MAX_RECONNECT_SECONDS", LONG_SECONDS)

    async with calling(where) as calls:
        with pytest.raises(errors.Unavailable) as first:
            await get(calls)
        async with listening(where) as server:
            with pytest.raises(errors.Unavailable) as second:
                await get(calls)

    assert str(second.value) == str(first.value)
    assert server.peers == []


async def test_a_server_that_was_not_there_is_asked_again_after_a_while(
    where: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "MIN_RECONNECT_SECONDS", 0.0)

    async with calling(where) as calls:
        with pytest.raises(errors.Unavailable):
            await get(calls)
        async with listening(where) as server:
            asking = ask(get(calls))
            peer = await server.accepted()
            await peer.answer(await peer.called())

            assert await asking == b"answer"


async def test_calls_under_way_when_the_connection_breaks_say_so_and_the_next_makes_another(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        first = await server.accepted()
        await first.answer(await first.called())
        await asking
        broken: list[Asking[Any]] = [ask(get(calls)), ask(watch(calls).read())]
        await first.called()
        await first.called()
        await first.hang_up()
        for each in broken:
            with pytest.raises(errors.Unavailable, match=rf"the server at {where} closed the connection"):
                await each

        again = ask(get(calls))
        second = await server.accepted()
        await second.answer(await second.called())
        assert await again == b"answer"


async def test_a_connection_that_breaks_is_told_of_in_the_words_of_the_system(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)
        await peer.settle()
        asking = ask(get(calls))
        await anyio.wait_all_tasks_blocked()
        await peer.hang_up()  # before it has heard of the call

        with pytest.raises(
            errors.Unavailable, match=rf"the connection to {where} broke: (Connection reset|Broken pipe)"
        ):
            await asking


async def test_a_server_that_hangs_up_on_everybody_is_not_asked_all_the_time(
    where: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "MIN_RECONNECT_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(channel, "MAX_RECONNECT_SECONDS", LONG_SECONDS)

    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        await peer.called()
        await peer.hang_up()
        with pytest.raises(errors.Unavailable, match="closed the connection"):
            await asking
        with pytest.raises(errors.Unavailable, match="closed the connection"):
            await get(calls)

    assert server.peers == [peer]


async def test_why_a_server_is_not_asked_is_what_went_wrong_first(
    where: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "MIN_RECONNECT_SECONDS", LONG_SECONDS)
    monkeypatch.setattr(channel, "MAX_RECONNECT_SECONDS", LONG_SECONDS)

    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        await peer.called()
        await peer.say(NO_PING)
        with pytest.raises(errors.Unavailable, match="cannot be understood"):
            await asking
        await peer.end()
        with pytest.raises(errors.Unavailable, match="cannot be understood"):
            await get(calls)


async def test_a_server_that_leaves_finishes_what_it_began_while_another_takes_over(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        watching = watch(calls)
        begun = ask(watching.read())
        old = await server.accepted()
        stream_id = await old.called()
        await old.say(opening(stream_id), frames.GoAway(stream_id, ErrorCode.NO_ERROR), message(stream_id, b"one"))
        assert await begun == b"one"

        asking = ask(get(calls))
        new = await server.accepted()
        await new.answer(await new.called())
        assert await asking == b"answer"

        await old.say(message(stream_id, b"two"), trailers(stream_id))
        assert [await watching.read(), await watching.read()] == [b"two", None]
        await old.end()
    assert server.peers == [old, new]


async def test_a_call_that_a_leaving_server_did_not_take_is_unavailable(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        await peer.called()
        await peer.say(frames.GoAway(0, ErrorCode.ENHANCE_YOUR_CALM, b"too_many_pings"))

        with pytest.raises(errors.Unavailable, match=r"saying ENHANCE_YOUR_CALM \(too_many_pings\)"):
            await asking
        await peer.end()


async def test_a_call_that_the_server_refuses_is_unavailable_and_the_connection_goes_on(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = ask(get(calls))
        peer = await server.accepted()
        await peer.say(frames.RstStream(await peer.called(), ErrorCode.REFUSED_STREAM))
        with pytest.raises(errors.Unavailable, match="REFUSED_STREAM"):
            await asking

        again = ask(get(calls))
        await peer.answer(await peer.called())
        assert await again == b"answer"


async def test_a_server_that_makes_no_sense_breaks_all_calls_and_is_told_why(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        asking = [ask(get(calls)) for _ in range(2)]
        peer = await server.accepted()
        answered = await peer.called()
        await peer.called()
        # What came in the same breath is as little to be believed.
        await peer.say(opening(answered), message(answered, b"answer"), trailers(answered), NO_PING)
        for each in asking:
            with pytest.raises(errors.Unavailable, match=rf"the server at {where} cannot be understood: a PING frame"):
                await each
        goodbye = (await peer.end())[-1]

    assert goodbye == frames.GoAway(0, ErrorCode.FRAME_SIZE_ERROR, b"a PING frame has 1 bytes instead of 8")
