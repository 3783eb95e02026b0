"""A server on a real socket that says exactly what it is told, and hears only when it is asked to.

async with listening(where) as server, calling(where) as calls:
    asking = ask(get(calls))
    peer = await server.accepted()
    stream_id = await peer.called()
    await peer.say(opening(stream_id), message(stream_id, b"answer"), trailers(stream_id))
    assert await asking == b"answer"
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSListener

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.metadata import Metadata
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.http2 import frames
from cosi.rpc.http2.frame_reader import FrameReader
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import HeaderDecoder, encode_block
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.calls import Calls, MessageStream
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.tls import ClientTls
from cosi.state.wakeups import Wakeups
from tests.cosi.rpc.remote.asking import ask

AT_ONCE_BYTES = 1 << 16
ABOUT = Metadata("default", "Things.test.cosi.dev", "a")


class Over(Exception):
    """The client closed the connection, and there was more to be heard."""


class Peer:
    """One client, as its server knows it: `heard` are its frames, `over` is whether it has hung up."""

    def __init__(self, stream: ByteStream) -> None:
        self.heard: list[frames.Frame] = []
        self.headers: dict[int, dict[str, str]] = {}
        self.over = False
        self.hangs_up = anyio.Event()
        self._stream = stream
        self._unheard = b""
        self._reader = FrameReader(max_frame_bytes=frames.LARGEST_MAX_FRAME_BYTES)
        self._decoder = HeaderDecoder()
        self._greeted = False
        self._claimed = 0
        self._pings = 0

    async def say(self, *spoken: frames.Frame | bytes) -> None:
        """Send this in one piece."""
        await self._stream.send(b"".join(each if isinstance(each, bytes) else each.serialize() for each in spoken))

    async def hear(self) -> None:
        """Take what the client says next."""
        try:
            self._unheard += await self._stream.receive(AT_ONCE_BYTES)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.over = True
            return
        if not self._greeted:
            if len(self._unheard) < len(frames.PREFACE):
                return
            assert self._unheard.startswith(frames.PREFACE)
            self._greeted, self._unheard = True, self._unheard.removeprefix(frames.PREFACE)
        self._reader.feed(self._unheard)
        self._unheard = b""
        while (frame := self._reader.next_frame()) is not None:
            self.heard.append(frame)
            if isinstance(frame, frames.Headers):
                decoded = self._decoder.decode(frame.block)
                self.headers[frame.stream_id] = {name.decode(): value.decode() for name, value in decoded}

    async def until(self, condition: Callable[[], object]) -> None:
        """Listen until something is so."""
        while not condition():
            if self.over:
                raise Over(f"the client hung up; it said {self.heard[-3:]}")
            await self.hear()

    async def called(self) -> int:
        """Listen until one more request is complete, and return its stream."""
        await self.until(lambda: len(self._complete()) > self._claimed)
        self._claimed += 1
        return self._complete()[self._claimed - 1]

    async def settle(self) -> None:
        """Listen until all is heard that the client said before it read what it was told last."""
        self._pings += 1
        ping = frames.Ping(b"%8d" % self._pings)
        await self.say(ping)
        await self.until(lambda: frames.Ping(ping.payload, ack=True) in self.heard)

    async def end(self) -> list[frames.Frame]:
        """Listen until the client hangs up, and return all that it said."""
        while not self.over:
            await self.hear()
        return self.heard

    async def answer(self, stream_id: int, content: bytes = b"answer") -> None:
        """Answer a call well."""
        await self.say(opening(stream_id), message(stream_id, content), trailers(stream_id))

    async def hang_up(self) -> None:
        """Close the connection."""
        self.hangs_up.set()
        await self._stream.aclose()

    def _complete(self) -> list[int]:
        return [frame.stream_id for frame in self.heard if isinstance(frame, frames.Data) and frame.end_stream]


class RawServer:
    """Whoever connects becomes a `Peer`; `peers` are all there were."""

    def __init__(self, settings: Mapping[int, int] | None, greets: bool) -> None:
        self.peers: list[Peer] = []
        self._settings = settings
        self._greets = greets
        self._claimed = 0
        self._arrival = Wakeups()

    async def accepted(self) -> Peer:
        """Wait until one more client has connected."""
        while len(self.peers) <= self._claimed:
            await self._arrival.wait()
        self._claimed += 1
        return self.peers[self._claimed - 1]

    async def serve(self, stream: ByteStream) -> None:
        peer = Peer(stream)
        async with stream:
            if self._greets:
                await peer.say(frames.Settings(self._settings))
            self.peers.append(peer)
            self._arrival.wake_all()
            await peer.hangs_up.wait()


@asynccontextmanager
async def listening(
    where: Address,
    settings: Mapping[int, int] | None = None,
    *,
    greets: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawServer]:
    """Listen while the body runs; clients are greeted with settings unless the test is to do even that."""
    listener: Any
    if where.path:
        listener = await anyio.create_unix_listener(where.path)
    else:
        listener = await anyio.create_tcp_listener(local_host=where.host, local_port=where.port)
    if tls is not None:
        listener = TLSListener(listener, tls, standard_compatible=False)
    server = RawServer(settings, greets)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def calling(where: Address, tls: ClientTls | None = None) -> AsyncIterator[Calls]:
    """Hold the calls of a client."""
    async with open_channel(where, tls) as channel:
        yield Calls(channel)


async def get(calls: Calls) -> bytes:
    """Make a call with one answer."""
    return await calls.unary(Method.GET, state_pb2.GetRequest(), ABOUT)


async def meet(server: RawServer, calls: Calls) -> Peer:
    """Return the server's end of a connection on which a call was answered, the first."""
    asking = ask(get(calls))
    peer = await server.accepted()
    await peer.answer(await peer.called())
    await asking
    return peer


def watch(calls: Calls) -> MessageStream:
    """Make a call with many answers."""
    return calls.stream(Method.WATCH, state_pb2.WatchRequest(), ABOUT)


def opening(stream_id: int) -> frames.Headers:
    """What every answer begins with."""
    return frames.Headers(stream_id, encode_block([(b":status", b"200"), (b"content-type", b"application/grpc")]))


def message(stream_id: int, content: bytes) -> frames.Data:
    """One message of an answer."""
    return frames.Data(stream_id, envelope(content))


def trailers(stream_id: int, code: Code = Code.OK) -> frames.Headers:
    """What every answer ends with."""
    return frames.Headers(stream_id, encode_block([(b"grpc-status", b"%d" % code)]), end_stream=True)
