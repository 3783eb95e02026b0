"""One HTTP/2 connection on a blocking socket, with as little client as a load can do with.

A server is what is measured here, so a call should cost its client a fraction of what it costs the server; a client
that is made to be relied on costs more. Requests are put together from parts encoded beforehand, header blocks that a
server repeats are decoded once, and windows are opened so far that no credit is ever due. What remains is checked all
the same: a call that does not end with OK raises Failed.
"""

from __future__ import annotations

import socket
import ssl
from types import TracebackType
from typing import Final

from benchmarks.transport.heads import Heads
from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from cosi.rpc.http2.grpc_request import ENVELOPE
from cosi.rpc.http2.hpack import HeaderDecoder
from cosi.rpc.tls import ClientTls

READ_BYTES: Final = 1 << 18
TIMEOUT_SECONDS: Final = 20.0
"""How long a server may be silent before the benchmark fails."""

_INITIAL_WINDOW_BYTES: Final = 65_535
_OPENING: Final = (
    frames.PREFACE
    + frames.Settings({frames.ENABLE_PUSH: 0, frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}).serialize()
    + frames.WindowUpdate(0, frames.MAX_WINDOW_BYTES - _INITIAL_WINDOW_BYTES).serialize()
)
_HEADER_BYTES: Final = frames.FRAME_HEADER.size
_ENVELOPE_BYTES: Final = ENVELOPE.size
_pack_header = frames.FRAME_HEADER.pack
_unpack_header = frames.FRAME_HEADER.unpack_from
_pack_envelope = ENVELOPE.pack
_unpack_envelope = ENVELOPE.unpack_from

Received = tuple[int, bytes | None]
"""A stream's id, and a message that came on it, or None because it has ended well."""


class Failed(Exception):
    """A server did not answer as it should, so there is nothing to measure."""


class Wire:
    """A connection to a server; a context manager that closes it. With `tls` it is encrypted.

    With `deadlines` each call has one, as far away as no call takes.
    """

    def __init__(self, address: Address, tls: ClientTls | None = None, *, deadlines: bool = False) -> None:
        self._socket = _connected(address, tls)
        self._decoder = HeaderDecoder()
        self._known: dict[bytes, dict[bytes, bytes]] = {}
        self._heads = Heads(deadlines=deadlines)
        self._next_id = 1
        self._due = [_OPENING]
        self._unread = b""
        self._partial: dict[int, bytes] = {}

    def begin(self, method: str, message: bytes) -> int:
        """Queue a call with its one message, and return its stream's id."""
        block = self._heads.block(method)
        stream_id = self._next_id
        self._next_id += 2
        size = _ENVELOPE_BYTES + len(message)
        self._due += (
            _pack_header(0, len(block), frames.HEADERS, frames.END_HEADERS, stream_id),
            block,
            _pack_header(size >> 8, size & 0xFF, frames.DATA, frames.END_STREAM, stream_id),
            _pack_envelope(0, len(message)),
            message,
        )
        return stream_id

    def flush(self) -> None:
        """Send what is queued."""
        if self._due:
            self._socket.sendall(b"".join(self._due))
            self._due.clear()

    def receive(self) -> list[Received]:
        """Wait for bytes, and return what they complete; mostly that is something. Raises Failed."""
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise Failed("the server closed the connection")
        if self._unread:
            data = self._unread + data
        received: list[Received] = []
        position, size = 0, len(data)
        while size - position >= _HEADER_BYTES:
            high, low, kind, flags, stream_id = _unpack_header(data, position)
            start = position + _HEADER_BYTES
            end = start + (high << 8 | low)
            if end > size:
                break
            position = end
            if kind == frames.DATA:
                self._take(stream_id, data[start:end], received)
            elif kind == frames.HEADERS:
                self._take_headers(stream_id, flags, data[start:end], received)
            else:
                self._take_control(kind, flags, data[start:end])
        self._unread = data[position:]
        return received

    def call(self, method: str, message: bytes) -> bytes:
        """Make a call and return its one answer; nothing else may be under way. Raises Failed."""
        self.begin(method, message)
        self.flush()
        answer = None
        while True:
            for _, received in self.receive():
                if received is not None:
                    answer = received
                elif answer is None:
                    raise Failed(f"{method} ended without an answer")
                else:
                    return answer

    def fileno(self) -> int:
        """Return what to wait for when there are several connections."""
        return self._socket.fileno()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _take(self, stream_id: int, data: bytes, received: list[Received]) -> None:
        if stream_id in self._partial:
            data = self._partial.pop(stream_id) + data
        position, size = 0, len(data)
        while size - position >= _ENVELOPE_BYTES:
            compressed, length = _unpack_envelope(data, position)
            start = position + _ENVELOPE_BYTES
            if compressed:
                raise Failed("the server compressed a message")
            if start + length > size:
                break
            position = start + length
            received.append((stream_id, data[start:position]))
        if position < size:
            self._partial[stream_id] = data[position:]

    def _take_headers(self, stream_id: int, flags: int, block: bytes, received: list[Received]) -> None:
        if not flags & frames.END_HEADERS:
            raise Failed("a header block came in several frames, which nobody expected of such small ones")
        headers = self._known.get(block)
        if headers is None:
            moves = self._decoder.moves
            headers = dict(self._decoder.decode(block))
            if moves == self._decoder.moves:
                self._known[block] = headers
            else:
                self._known.clear()
        if not flags & frames.END_STREAM:
            return
        if headers.get(b"grpc-status") != b"0":
            status, message = headers.get(b"grpc-status", b"?"), headers.get(b"grpc-message", b"")
            raise Failed(f"a call ended with status {status.decode()}: {message.decode()}")
        received.append((stream_id, None))

    def _take_control(self, kind: int, flags: int, payload: bytes) -> None:
        if kind in (frames.RST_STREAM, frames.GOAWAY):
            raise Failed(f"the server gave up a stream or the connection: {payload!r}")
        if kind == frames.SETTINGS and not flags & frames.ACK:
            self._due.append(frames.Settings(ack=True).serialize())
        elif kind == frames.PING and not flags & frames.ACK:
            self._due.append(frames.Ping(payload, ack=True).serialize())


def _connected(address: Address, tls: ClientTls | None) -> socket.socket | ssl.SSLSocket:
    if address.path:
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(TIMEOUT_SECONDS)
        local.connect(address.path)
        return local
    connected = socket.create_connection((address.host, address.port), TIMEOUT_SECONDS)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return connected
    return tls.context().wrap_socket(connected, server_hostname=tls.name_of(address.host))
