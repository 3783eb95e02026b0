"""An answer goes out as its client makes room for it, and a request comes in as its handler takes it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.grpc_request import ENVELOPE, envelope
from cosi.rpc.http2.limits import MAX_REQUEST_BYTES, STREAM_WINDOW_BYTES
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, frame
from tests.cosi.rpc.native.handlers import CLIENT, ECHO, SERVER, UNARY, Stay, served
from tests.cosi.rpc.native.raw_client import RawClient, connected

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 4096  # 1 MiB
PART = LARGE[:30_000]
WIDE = {frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}
WIDE_TOO = frames.WindowUpdate(0, frames.MAX_WINDOW_BYTES - 65_535)


# --- answers ---


async def test_large_answers_fit_windows_of_any_size(tmp_path: Path) -> None:
    async def unary(_: bytes, _call: Call) -> Frames:
        return frame(LARGE)

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        yield frame(LARGE)
        await anyio.lowlevel.checkpoint()
        yield frame(LARGE)

    async with (
        served(tmp_path, unary=unary, server=server) as where,
        connected(where, {frames.INITIAL_WINDOW_SIZE: 10_000}) as client,
    ):
        calls = [await client.call(method, b"") for method in (UNARY, SERVER)]
        answered = client.hearing.answers
        while not all(call in answered and answered[call].ended for call in calls):
            await client.hear()
            if used_up := [id for id in (0, *calls) if not _window(client, id)]:
                await client.say(*(frames.WindowUpdate(id, 30_000) for id in used_up))

    assert [answered[call].contents for call in calls] == [[LARGE], [LARGE, LARGE]]


def _window(client: RawClient, stream_id: int) -> int:
    return client.hearing.window_of(stream_id) if stream_id else client.hearing.windows[0]


async def test_a_client_without_room_has_one_answer_made_ahead_and_no_more(tmp_path: Path) -> None:
    made = 0

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made
        while made < 100:
            made += 1
            yield frame(b"x" * 1000)

    async with (
        served(tmp_path, server=server) as where,
        connected(where, {frames.INITIAL_WINDOW_SIZE: 10_000}) as client,
    ):
        call = await client.call(SERVER, b"")
        await client.settle()
        assert made == 10, "nine fit, and the tenth waits"
        await client.say(frames.WindowUpdate(call, 2_000))
        await client.settle()
        assert made == 12


@pytest.mark.parametrize("in_a_task", [False, True])
async def test_a_client_that_stopped_reading_and_goes_on_misses_nothing(tmp_path: Path, in_a_task: bool) -> None:
    made, times = 0, 6

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames, None]:
        nonlocal made
        if in_a_task:
            await anyio.lowlevel.checkpoint()
        while made < times:
            made += 1
            yield frame(LARGE)

    async with served(tmp_path, server=server) as where, connected(where, WIDE) as client:
        await client.say(WIDE_TOO)
        call = await client.call(SERVER, b"")
        async with connected(where) as other:
            before = -1
            while made > before:  # until the server does not go on
                before = made
                await other.settle()
        assert 0 < made < times
        answer = await client.answer(call)

    assert (answer.contents, answer.code) == ([LARGE] * times, Code.OK)


# --- requests ---


async def test_an_upload_of_any_size_goes_on_as_its_handler_takes_it(tmp_path: Path) -> None:
    stay = Stay()

    async def count(requests: AsyncIterator[bytes], _: Call) -> Frames:
        await stay.here()
        return frame(b"%d" % sum([len(content) async for content in requests]))

    async with served(tmp_path, client=count) as where, connected(where) as client:
        call = await client.call(CLIENT, end=False)
        room, times = STREAM_WINDOW_BYTES, 10
        for _ in range(times):
            if room < len(PART) + ENVELOPE.size:
                stay.leave.set()
                room += await _next_credits(client, call)
            await _say_in_frames(client, call, PART)
            room -= len(PART) + ENVELOPE.size
            await client.settle()
            assert stay.leave.is_set() or not _given(client, call), "a credit came before the handler took anything"
        await client.say(frames.Data(call, b"", end_stream=True))
        answer = await client.answer(call)

    assert answer.contents == [b"%d" % (times * len(PART))]


async def test_a_message_may_be_as_large_as_the_limit_and_no_larger(tmp_path: Path) -> None:
    async with served(tmp_path) as where, connected(where, WIDE) as client:
        await client.say(WIDE_TOO)
        for size, code in ((MAX_REQUEST_BYTES, Code.OK), (MAX_REQUEST_BYTES + 1, Code.RESOURCE_EXHAUSTED)):
            call = await client.call(ECHO, end=False)
            await _say_in_frames(client, call, bytes(size), end=True)
            assert (await client.answer(call)).code is code


def _given(client: RawClient, stream_id: int) -> list[frames.WindowUpdate]:
    return [each for each in client.heard if isinstance(each, frames.WindowUpdate) and each.stream_id == stream_id]


async def _next_credits(client: RawClient, stream_id: int) -> int:
    """Wait for credits for a stream, and forget that they were given."""
    await client.until(lambda: bool(_given(client, stream_id)))
    given = _given(client, stream_id)
    client.heard.clear()
    return sum(each.increment for each in given)


async def _say_in_frames(client: RawClient, stream_id: int, content: bytes, *, end: bool = False) -> None:
    data, size = envelope(content), frames.DEFAULT_MAX_FRAME_BYTES
    for start in range(0, len(data), size):
        last = end and start + size >= len(data)
        await client.say(frames.Data(stream_id, data[start : start + size], end_stream=last))
