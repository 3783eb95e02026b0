"""The blocking client over TLS: to a server that is who it must be, and that agrees on HTTP/2.

A connection counts once the server has said its first words. A server that refuses a client's certificate says so only
after the handshake, so whatever is wrong on either side is found here, and said in plain words.
"""

from __future__ import annotations

import errno
import socket
import ssl
from math import ceil
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Final

from cosi.rpc import local_socket
from cosi.rpc.address import Address
from cosi.rpc.blocking import CONNECT_TIMEOUT_SECONDS, Channel
from cosi.rpc.http2.status import Code, RpcError
from cosi.rpc.tls import ALPN_HTTP2, ClientTls, UnverifiedTls, explain_failure, explain_no_http2, reason

KEEPALIVE_SECONDS: Final = 15
KEEPALIVE_PROBES: Final = 9
"""How often a silent server's kernel is asked whether it is there, and how often in vain; as Go's programs do it."""

_MAX_RECORD_BYTES: Final = 16 * 1024
"""OpenSSL hands out one record at a time, and reads no further than its end."""


_OF_A_LOGIN: Final = ("certificate", "unknown ca")
"""What the alerts say by which servers refuse a client for its certificate, or for having none (RFC 8446, 6.2)."""


def connect(
    where: Address, tls: ClientTls | UnverifiedTls, *, timeout_seconds: float = CONNECT_TIMEOUT_SECONDS
) -> Channel:
    """Connect to a host and port, whose name is looked up. Raises RpcError: UNAVAILABLE, with the reason."""
    deadline = monotonic() + timeout_seconds
    name = str(where)
    try:
        connected = _TlsSocket(_shaken_hands(where, tls, deadline, timeout_seconds))
    except ssl.SSLError as error:
        raise RpcError(Code.UNAVAILABLE, explain_failure(name, error)) from None
    except (socket.gaierror, UnicodeError) as error:
        raise RpcError(Code.UNAVAILABLE, f"{name} can't be looked up: {error}") from None
    except OSError as error:
        raise RpcError(Code.UNAVAILABLE, local_socket.explain(where, timeout_seconds, error)) from None
    except ValueError as error:
        raise RpcError(Code.UNAVAILABLE, f"the certificate of {name} is not accepted: {error}") from None
    channel = Channel(connected, target=name, authority=name, scheme="https")
    try:
        if connected.protocol != ALPN_HTTP2:
            raise RpcError(Code.UNAVAILABLE, explain_no_http2(name))
        channel.expect_greeting(deadline)
    except BaseException:
        channel.close()
        raise
    return channel


class _TlsSocket:
    """A socket whose bytes go through TLS, and which otherwise behaves like any that does not block."""

    def __init__(self, connected: ssl.SSLSocket) -> None:
        self._socket = connected
        self.setblocking = connected.setblocking
        self.fileno = connected.fileno
        self.close = connected.close
        self.protocol = connected.selected_alpn_protocol()

    def send(self, data: memoryview | bytes, _flags: int, /) -> int:
        try:
            return self._socket.send(data)
        except ssl.SSLError as error:
            raise _as_socket(error) from None

    def recv(self, size: int, /) -> bytes:
        # All that is there: what OpenSSL has read from the socket already, no poll would wake us for.
        pieces: list[bytes] = []
        room = size
        try:
            while room >= _MAX_RECORD_BYTES and (piece := self._socket.recv(_MAX_RECORD_BYTES)):
                pieces.append(piece)
                room -= len(piece)
        except OSError as error:
            if not pieces:
                raise (_as_socket(error) if isinstance(error, ssl.SSLError) else error) from None
        return b"".join(pieces)


def _shaken_hands(
    where: Address, tls: ClientTls | UnverifiedTls, deadline: float, timeout_seconds: float
) -> ssl.SSLSocket:
    tcp = socket.create_connection((where.host, where.port), timeout_seconds)
    try:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A watch only listens: of a machine that lost its power it would never hear.
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_SECONDS)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_SECONDS)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
        tcp.setblocking(False)
        context = tls.context()
        connected = context.wrap_socket(tcp, server_hostname=tls.name_of(where.host), do_handshake_on_connect=False)
    except BaseException:
        tcp.close()
        raise
    try:
        _shake_hands(connected, deadline)
        if isinstance(tls, UnverifiedTls):
            tls.require_known(connected.getpeercert(binary_form=True) or b"")
    except BaseException:
        connected.close()
        raise
    return connected


def _shake_hands(connected: ssl.SSLSocket, deadline: float) -> None:
    """Shake hands, however slowly the server's bytes trickle in, by the deadline. Raises OSError."""
    waiting = poll()
    while True:
        try:
            connected.do_handshake()
            return
        except ssl.SSLWantReadError:
            waiting.register(connected, POLLIN)
        except ssl.SSLWantWriteError:
            waiting.register(connected, POLLOUT)
        remaining_ms = ceil((deadline - monotonic()) * 1000)
        if remaining_ms <= 0:
            raise TimeoutError
        waiting.poll(remaining_ms)


def _as_socket(error: ssl.SSLError) -> OSError:
    """Return what a plain socket would raise."""
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return BlockingIOError()
    why = reason(error)
    refused = any(word in why for word in _OF_A_LOGIN)
    told = f"it does not let this login in ({why})" if refused else f"TLS ended ({why})"
    return ConnectionAbortedError(errno.ECONNABORTED, told)
