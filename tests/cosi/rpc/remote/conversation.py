"""A connection between a test and a socket that notes each write, on either event loop.

conversation = await conversing(backend)
conversation.connection.begin(call)
((headers, data),) = await conversation.writes()
conversation.say(opening(call.stream_id), trailers(call.stream_id))
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod

import anyio
import trio

from cosi.rpc.http2 import frames
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.remote.asyncio_loop import AsyncioLink
from cosi.rpc.remote.connection import Connection
from cosi.rpc.remote.loop import running_loop
from cosi.rpc.remote.trio_loop import TrioLink


class AsyncioSocket(asyncio.Transport):
    """Notes each write, and whether it was closed."""

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


class TrioSocket(trio.abc.Stream):
    """Notes each write, and whether it was closed."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False
        self.read = trio.Event()
        """Until then a write is not over."""
        self.spoken, self._heard = trio.open_memory_channel[bytes](math.inf)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))
        await self.read.wait()

    async def wait_send_all_might_not_block(self) -> None:
        await self.read.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            return await self._heard.receive()
        except trio.EndOfChannel:
            return b""

    async def aclose(self) -> None:
        self.closed = True
        await trio.lowlevel.checkpoint()


class Owner:
    """Has no interest in connections."""

    def add(self, connection: Connection) -> None:
        pass

    def remove(self, connection: Connection) -> None:
        pass


class Conversation(ABC):
    """A connection, and the other end of its socket."""

    socket: AsyncioSocket | TrioSocket

    def __init__(self) -> None:
        loop = running_loop()
        self.connection = Connection(loop, Owner(), name="somewhere", authority="localhost", scheme="http")

    async def writes(self) -> list[list[frames.Frame]]:
        """Return what each write has said since the last time, when all has been said that is to be said now."""
        await self.settle()
        writes, self.socket.writes = self.socket.writes, []
        return [_frames(write) for write in writes]

    def say(self, *spoken: frames.Frame) -> None:
        """Have the server say this in one piece."""
        self.hear(b"".join(frame.serialize() for frame in spoken))

    @abstractmethod
    def hear(self, data: bytes) -> None:
        """Have the connection read this."""

    @abstractmethod
    async def settle(self) -> None:
        """Let the loop do what can be done now."""

    @abstractmethod
    async def stop_reading(self) -> None:
        """Have the server take no more than it has."""

    @abstractmethod
    def read_on(self) -> None:
        """Have the server take all that it is told."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Have the server end the connection."""


class OnAsyncio(Conversation):
    """What asyncio calls a protocol with, and a transport."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = AsyncioSocket()
        self._link = AsyncioLink(self.connection, asyncio.get_running_loop())
        self._link.connection_made(self.socket)

    def hear(self, data: bytes) -> None:
        size = len(self._link.get_buffer(-1))
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self._link.get_buffer(len(piece))[: len(piece)] = piece
            self._link.buffer_updated(len(piece))

    async def settle(self) -> None:
        await asyncio.sleep(0)

    async def stop_reading(self) -> None:
        self._link.pause_writing()

    def read_on(self) -> None:
        self._link.resume_writing()

    async def hang_up(self) -> None:
        self._link.connection_lost(None)


class OnTrio(Conversation):
    """A stream that two tasks read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = self._stream = TrioSocket()
        self._stream.read.set()
        TrioLink(self.connection, self._stream)

    def hear(self, data: bytes) -> None:
        self._stream.spoken.send_nowait(data)

    async def settle(self) -> None:
        await anyio.wait_all_tasks_blocked()

    async def stop_reading(self) -> None:
        self._stream.read = trio.Event()
        self.connection.ping()
        assert await self.writes(), "the write that is not over"

    def read_on(self) -> None:
        self._stream.read.set()

    async def hang_up(self) -> None:
        self._stream.spoken.close()
        await self.settle()


async def conversing(backend: str) -> Conversation:
    """Return a connection on which both sides have greeted."""
    conversation = OnTrio() if backend == "trio" else OnAsyncio()
    ((settings, *_),) = await conversation.writes()
    assert isinstance(settings, frames.Settings)
    conversation.say(frames.Settings())
    await conversation.writes()
    return conversation


def _frames(written: bytes) -> list[frames.Frame]:
    reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
    reader.feed(written.removeprefix(frames.PREFACE))
    read = []
    while (frame := reader.next_frame()) is not None:
        read.append(frame)
    return read
