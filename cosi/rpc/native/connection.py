"""One client's connection on asyncio: moves bytes between its socket, the core and the calls they carry.

    socket ──▶ (TLS) ──▶ ServerConnection ──▶ Dispatch ──▶ handlers
    socket ◀── (TLS) ◀── ServerConnection ◀── answers ◀──────┘

What one read brings is answered with one write. While the client does not read what it was sent, nothing more is read
from it nor made for it, so it can pile up no more than WRITE_BUFFER_BYTES and what one read leads to.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, cast

import structlog

from cosi.rpc.address import Address
from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.native.admission import host_of
from cosi.rpc.native.dispatch import Dispatch
from cosi.rpc.native.tls_layer import TlsFailed, TlsLayer
from cosi.rpc.seam import Peer

if TYPE_CHECKING:
    from cosi.rpc.native.server import Server

WRITE_BUFFER_BYTES: Final = 256 << 10
"""How much may wait for a client that does not read before its connection is clogged."""

HANDSHAKE_SECONDS: Final = 10.0
"""How long a client may take until its first settings are here, TLS included."""

STALL_SECONDS: Final = 30.0
"""How long a connection may stay clogged."""

KEEPALIVE_SECONDS: Final = 60.0
PING_SECONDS: Final = 20.0
"""A client that was silent for so long is asked whether it is there, and has so long to answer."""

LINGER_SECONDS: Final = 1.0
"""How long a connection that was ended for a reason may still be read, so that the reason arrives."""

_log = structlog.get_logger(component="rpc")


class Connection(asyncio.BufferedProtocol):
    """A connection from its first byte to its last. `tls` encrypts it."""

    def __init__(self, server: Server, tls: TlsLayer | None) -> None:
        self.core = ServerConnection(server.bounds.each)
        self.host = ""
        self.has_spoken = False
        self.last_heard = self._connected = time.monotonic()
        self._server = server
        self._tls = tls
        self._dispatch = Dispatch(self.core, server, self.touch)
        self._transport: asyncio.Transport | None = None
        self._dirty = False
        self._clogged_since: float | None = None
        self._lingering = False
        self._stranger = True

    @property
    def encrypted(self) -> bool:
        """Whether TLS let the client in."""
        return self._tls is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the socket, and whose it is."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        where = _address(transport.get_extra_info("peername"))
        self._dispatch.peer = Peer(address=str(where) if where is not None else "")
        self.host = host_of(where.host) if where is not None else ""
        self._server.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer that all connections share: what is read into it is taken out at once."""
        return self._server.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read."""
        if self._lingering:
            return
        data = bytes(self._server.read_buffer[:nbytes])
        self._dirty = True  # what this leads to is sent below, not later
        self.has_spoken = True
        self.last_heard = time.monotonic()
        if self._tls is None:
            self._dispatch.receive(data)
        else:
            self._receive_tls(data, self._tls)
        if self._stranger and self.core.greeted and not self.core.closed:
            self._stranger = False
            if not self._server.welcome(self):
                return
        self.flush()

    def eof_received(self) -> None:
        """Close: a client that sends no more can't be answered either, its credits would be missing."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all calls."""
        self._transport = None
        self._server.remove(self)
        self._dispatch.cancel_all()

    def pause_writing(self) -> None:
        """Make nothing more for a client that does not read what it has."""
        self._clogged_since = time.monotonic()
        self._dispatch.paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on where the client stopped reading."""
        self._clogged_since = None
        self._dispatch.paused = False
        if self._transport is not None:
            self._transport.resume_reading()
        self.touch()

    def touch(self) -> None:
        """See to it that what was answered is sent, together with what else is answered in this turn of the loop."""
        if not self._dirty:
            self._dirty = True
            self._server.flush_soon(self)

    def flush(self) -> None:
        """Send what is due, and what comes of calls that had to wait."""
        self._dispatch.go_on()
        self._dirty = False
        data = self.core.data_to_send()
        transport = self._transport
        if transport is None or self._lingering:
            return
        if self._tls is not None:
            data = self._encrypt(data, self._tls)
        if data:
            transport.write(data)
        if self.core.closed:
            self._close(transport)

    def shut_down(self) -> None:
        """Close when the calls under way have ended."""
        self.core.shut_down()
        self.touch()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def look_after(self, now: float) -> None:
        """Give up a client that does not begin, does not read, or is not there any more; `now` is monotonic."""
        silent = now - self.last_heard
        if not self.core.greeted:
            gone = now - self._connected > HANDSHAKE_SECONDS
        elif self._clogged_since is not None:
            gone = now - self._clogged_since > STALL_SECONDS
        else:
            gone = self.core.ping_pending and silent > KEEPALIVE_SECONDS + PING_SECONDS
        if gone:
            self.abort()
        elif silent > KEEPALIVE_SECONDS and not self.core.ping_pending and self.core.greeted:
            self.core.ping()
            self.flush()

    def _close(self, transport: asyncio.Transport) -> None:
        """Close, but leave the client a moment to read why.

        A socket closed with bytes unread takes the answer along.
        """
        self._lingering = True
        self._server.see_off(self)
        if self._tls is not None:
            transport.write(self._tls.close())
        transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.abort)

    def _encrypt(self, data: bytes, tls: TlsLayer) -> bytes:
        try:
            return tls.send(data) if data else tls.data_to_send()
        except TlsFailed:
            self.core.closed = True
            return tls.data_to_send()

    def _receive_tls(self, data: bytes, tls: TlsLayer) -> None:
        established = tls.established
        try:
            plain = tls.receive(data)
        except TlsFailed as failure:
            _log.debug("connection refused", peer=self._dispatch.peer.address, reason=str(failure))
            self.core.closed = True
            return
        if not established and tls.established:
            self._dispatch.peer = self._dispatch.peer._replace(certificate=tls.peer_certificate)
        if plain:
            self._dispatch.receive(plain)
        if tls.ended:
            self.core.closed = True


def _address(peername: object) -> Address | None:
    """Return a TCP client's address; those of unix sockets have none worth telling."""
    return Address(host=peername[0], port=peername[1]) if isinstance(peername, tuple) else None
