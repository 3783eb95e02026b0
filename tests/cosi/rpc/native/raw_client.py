"""A client on a real socket that says exactly what it is told, and reads nothing before it is asked to.

    async with connected(where) as client:
        await client.say(request(1), message(1, b"question", end=True))     frames, or bytes that no frame could make
        assert (await client.answer(1)).contents == [b"answer"]

All that the server says goes through `Hearing`, which fails the test if it is against the rules of HTTP/2.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.http2.frame_parser import parse_header
from cosi.rpc.http2.hpack import Header
from tests.cosi.rpc.http2.server.hearing import Answer, Hearing
from tests.cosi.rpc.http2.server.peer import GRPC, changed, message, request, serialized

AT_ONCE_BYTES = 1 << 16


class Over(Exception):
    """The server closed the connection, and there was more to be heard."""


class RawClient:
    """One connection; `heard` is all it was told so far, `over` whether the server has closed it."""

    def __init__(self, stream: ByteStream) -> None:
        self.hearing = Hearing()
        self.heard: list[frames.Frame] = []
        self.over = False
        self._stream = stream
        self._unheard = b""
        self._ids = itertools.count(1, 2)
        self._pings = itertools.count()

    async def say(self, *spoken: frames.Frame | bytes) -> None:
        """Send this in one piece."""
        data = serialized(spoken)
        self.hearing.note_said(data)
        await self._stream.send(data)

    def request(self, path: str, *contents: bytes, end: bool = True, **headers: str) -> tuple[int, list[frames.Frame]]:
        """Return the next stream, and a call of a method on it. The request goes on unless it is to `end`."""
        stream_id = next(self._ids)
        last = len(contents) - 1
        spoken = [message(stream_id, content, end=end and number == last) for number, content in enumerate(contents)]
        return stream_id, [request(stream_id, fields(path, **headers), end=end and not contents), *spoken]

    async def call(self, path: str, *contents: bytes, end: bool = True, **headers: str) -> int:
        """Call a method with these messages, and return the stream."""
        stream_id, spoken = self.request(path, *contents, end=end, **headers)
        await self.say(*spoken)
        return stream_id

    async def ask(self, path: str, content: bytes = b"") -> Answer:
        """Call a method with one message, and return its whole answer."""
        return await self.answer(await self.call(path, content))

    async def hear(self) -> None:
        """Take what the server says next."""
        try:
            self._unheard += await self._stream.receive(AT_ONCE_BYTES)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            self.over = True
            return
        whole = _whole_frames_bytes(self._unheard)
        self.heard += self.hearing.hear(self._unheard[:whole])
        self._unheard = self._unheard[whole:]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Listen until something is so."""
        while not condition():
            if self.over:
                raise Over(f"the server closed the connection; it said {self.heard[-3:]}")
            await self.hear()

    async def answer(self, stream_id: int) -> Answer:
        """Listen until a call has been answered, and return the answer."""
        await self.until(lambda: self._so_far(stream_id).ended or self._so_far(stream_id).reset is not None)
        return self._so_far(stream_id)

    async def begun(self, stream_id: int, messages: int = 1) -> Answer:
        """Listen until a call has been answered with so many messages, and return what there is."""
        await self.until(lambda: len(self._so_far(stream_id).contents) >= messages)
        return self._so_far(stream_id)

    async def settle(self) -> None:
        """Wait until the server has taken all that it was sent."""
        ping = frames.Ping(b"%8d" % next(self._pings))
        await self.say(ping)
        await self.until(lambda: frames.Ping(ping.payload, ack=True) in self.heard)

    async def say_goodbye(self) -> None:
        """End TLS in good order, and leave the socket open."""
        assert isinstance(self._stream, TLSStream)
        await self._stream.unwrap()

    def pong(self) -> frames.Ping:
        """Return the answer to the last ping that was heard."""
        last = next(each for each in reversed(self.heard) if isinstance(each, frames.Ping) and not each.ack)
        return frames.Ping(last.payload, ack=True)

    async def end(self) -> list[frames.Frame]:
        """Listen until the server closes the connection, and return all that it said."""
        while not self.over:
            await self.hear()
        return self.heard

    async def goodbye(self) -> frames.GoAway:
        """Listen to the end, and return the last words."""
        last = (await self.end())[-1]
        assert isinstance(last, frames.GoAway)
        return last

    def _so_far(self, stream_id: int) -> Answer:
        return self.hearing.answers.get(stream_id) or Answer()


@asynccontextmanager
async def connected(
    where: Address,
    settings: Mapping[int, int] | None = None,
    *,
    greets: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[RawClient]:
    """Hold a connection, over which the client has said its settings unless it is to say even that itself."""
    async with await _opened(where, tls) as stream:
        client = RawClient(stream)
        if greets:
            await client.say(frames.PREFACE, frames.Settings(settings))
        yield client


def fields(path: str, **headers: str) -> tuple[Header, ...]:
    """Return the headers of a call; `grpc_timeout` stands for grpc-timeout."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return changed(GRPC, {":path": path, **more})


async def _opened(where: Address, tls: ssl.SSLContext | None) -> ByteStream:
    if where.path:
        return await anyio.connect_unix(where.path)
    if tls is None:
        return await anyio.connect_tcp(where.host, where.port)
    return await anyio.connect_tcp(
        where.host, where.port, ssl_context=tls, tls=True, tls_standard_compatible=False, tls_hostname=where.host
    )


def _whole_frames_bytes(data: bytes) -> int:
    position = 0
    while len(data) - position >= frames.FRAME_HEADER.size:
        end = position + frames.FRAME_HEADER.size + parse_header(data, position)[0]
        if end > len(data):
            break
        position = end
    return position
