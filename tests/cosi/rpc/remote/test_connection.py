"""What is said in one turn of the loop goes out in one write, and nothing is made for a server that does not read."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.events import Ended, Message
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.frame_writer import MAX_UNSENT_REPLY_BYTES
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.connection import Connection
from tests.cosi.rpc.remote.raw_server import message, opening, trailers

pytestmark = pytest.mark.anyio

CALLS = 16


class Socket(asyncio.Transport):
    """Notes each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Owner:
    def add(self, connection: Connection) -> None:
        pass

    def remove(self, connection: Connection) -> None:
        pass


class Call:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.path = "/service/Method"
        self.request = b"question"
        self.timeout_seconds: float | None = None
        self.stream_id = 0
        self.told: list[Message | Ended] = []
        self.answered = asyncio.Event()

    def tell(self, event: Message | Ended) -> None:
        self.told.append(event)
        self.answered.set()

    def cut_off(self) -> None:
        pass


class Conversation:
    """A connection between calls and a socket."""

    def __init__(self) -> None:
        self.socket = Socket()
        self.connection = Connection(Owner(), name="somewhere", authority="localhost", scheme="http")
        self.connection.connection_made(self.socket)
        (greeting,) = self.socket.writes
        assert greeting.startswith(frames.PREFACE)
        self.say(frames.Settings())

    def say(self, *spoken: frames.Frame) -> None:
        """Have the server say this."""
        data = b"".join(frame.serialize() for frame in spoken)
        size = len(self.connection.get_buffer(-1))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.connection.get_buffer(len(piece))[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))

    async def writes(self) -> list[list[frames.Frame]]:
        """Return what each write of this turn of the loop said."""
        self.socket.writes.clear()
        await asyncio.sleep(0)
        return [_frames(write) for write in self.socket.writes]


async def test_calls_that_begin_in_one_turn_go_out_in_one_write() -> None:
    conversation = Conversation()
    calls = [Call() for _ in range(CALLS)]
    for call in calls:
        conversation.connection.begin(call)

    ((settings, *requests),) = await conversation.writes()

    assert settings == frames.Settings(ack=True)
    assert [frame.stream_id for frame in requests if isinstance(frame, frames.Headers)] == [*range(1, 2 * CALLS, 2)]


async def test_what_those_say_who_are_woken_by_a_read_goes_out_with_the_replies_to_it() -> None:
    conversation = Conversation()
    calls = [Call() for _ in range(CALLS)]
    for call in calls:
        conversation.connection.begin(call)
    await conversation.writes()

    async def and_again(call: Call) -> None:
        await call.answered.wait()
        conversation.connection.begin(Call())

    callers = [asyncio.create_task(and_again(call)) for call in calls]
    await asyncio.sleep(0)
    answers = [(opening(each.stream_id), message(each.stream_id, b""), trailers(each.stream_id)) for each in calls]
    conversation.say(frames.Ping(b"12345678"), *(frame for answer in answers for frame in answer))
    (said,) = await conversation.writes()
    await asyncio.gather(*callers)

    assert said[0] == frames.Ping(b"12345678", ack=True)
    assert len([frame for frame in said if isinstance(frame, frames.Headers)]) == CALLS


async def test_nothing_is_written_while_the_server_does_not_read_and_all_of_it_when_it_does() -> None:
    conversation = Conversation()
    await conversation.writes()
    conversation.connection.pause_writing()
    call = Call()
    conversation.connection.begin(call)
    assert await conversation.writes() == []

    conversation.connection.resume_writing()

    (said,) = [_frames(write) for write in conversation.socket.writes]
    assert [type(frame) for frame in said] == [frames.Headers, frames.Data]


async def test_a_server_that_asks_and_does_not_read_is_given_up() -> None:
    conversation = Conversation()
    call = Call()
    conversation.connection.begin(call)
    conversation.connection.pause_writing()
    ping = frames.Ping(b"12345678")

    conversation.say(*[ping] * (MAX_UNSENT_REPLY_BYTES // len(ping.serialize()) + 1))

    (end,) = call.told
    assert isinstance(end, Ended)
    assert end.code is Code.UNAVAILABLE
    assert "asks for answers faster than it reads them" in end.message
    assert conversation.socket.closed


async def test_nothing_holds_a_connection_that_is_over() -> None:
    conversation = Conversation()
    await conversation.writes()
    over = weakref.ref(conversation.connection)

    conversation.connection.connection_lost(None)
    del conversation
    gc.collect()

    assert over() is None


def _frames(written: bytes) -> list[frames.Frame]:
    reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
    reader.feed(written)
    read = []
    while (frame := reader.next_frame()) is not None:
        read.append(frame)
    return read
