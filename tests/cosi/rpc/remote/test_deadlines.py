"""A deadline around a call is known to both sides, and it is the caller's own scope that tells when it has passed."""

from __future__ import annotations

import anyio
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.http2.status import Code
from cosi.state import errors
from tests.cosi.rpc.remote.asking import ask
from tests.cosi.rpc.remote.clock import Clock
from tests.cosi.rpc.remote.raw_server import ABOUT, calling, get, listening, meet, message, opening, trailers, watch

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 40.0


async def test_the_deadline_around_a_call_travels_with_it_rounded_up(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)

        async def hurried() -> bytes:
            with anyio.fail_after(2 * DEADLINE_SECONDS), anyio.fail_after(DEADLINE_SECONDS):
                return await get(calls)

        begun = anyio.current_time()
        asking = ask(hurried())
        stream_id = await peer.called()
        at_least = DEADLINE_SECONDS - (anyio.current_time() - begun)
        await peer.answer(stream_id)
        await asking

    timeout = peer.headers[stream_id]["grpc-timeout"]
    assert timeout.endswith("m")
    assert at_least * 1000 < int(timeout.removesuffix("m")) <= DEADLINE_SECONDS * 1000 + 1


@pytest.mark.parametrize("ending", [Code.DEADLINE_EXCEEDED, Code.CANCELLED])
async def test_a_deadline_that_both_sides_notice_is_the_callers_own(where: Address, clock: Clock, ending: Code) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)

        async def hurried() -> bytes:
            with anyio.fail_after(DEADLINE_SECONDS):
                return await get(calls)

        asking = ask(hurried())
        stream_id = await peer.called()
        await peer.say(opening(stream_id), trailers(stream_id, ending))
        clock.put_forward(DEADLINE_SECONDS)

        with pytest.raises(TimeoutError):
            await asking


async def test_a_server_that_has_less_time_than_its_caller_is_quoted(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)

        async def patient() -> bytes:
            with anyio.fail_after(DEADLINE_SECONDS):
                return await get(calls)

        asking = ask(patient())
        stream_id = await peer.called()
        await peer.say(opening(stream_id), trailers(stream_id, Code.DEADLINE_EXCEEDED))

        with pytest.raises(errors.DeadlineExceeded):
            await asking


async def test_a_call_without_a_deadline_has_none_on_the_wire(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)

    (headers,) = peer.headers.values()
    assert "grpc-timeout" not in headers


async def test_a_watch_outlives_the_scope_it_was_opened_in(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        watching = watch(calls)

        async def opened() -> bytes | None:
            with anyio.fail_after(DEADLINE_SECONDS):
                return await watching.read()

        opening_it = ask(opened())
        peer = await server.accepted()
        stream_id = await peer.called()
        await peer.say(opening(stream_id), message(stream_id, b""))
        await opening_it

    assert "grpc-timeout" not in peer.headers[stream_id]


async def test_a_list_has_the_deadline_of_its_scope(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        listing = calls.stream(Method.LIST, state_pb2.ListRequest(), ABOUT)

        async def hurried() -> bytes | None:
            with anyio.fail_after(DEADLINE_SECONDS):
                return await listing.read()

        asking = ask(hurried())
        peer = await server.accepted()
        stream_id = await peer.called()
        await peer.say(opening(stream_id), trailers(stream_id))

        assert await asking is None
    assert "grpc-timeout" in peer.headers[stream_id]


async def test_a_call_in_a_scope_that_was_cancelled_before_is_not_made(where: Address) -> None:
    async with listening(where) as server, calling(where) as calls:
        peer = await meet(server, calls)
        with anyio.move_on_after(0) as scope:
            await get(calls)
        await peer.settle()

    assert scope.cancelled_caught
    assert list(peer.headers) == [1]
