"""One client's connection on asyncio: moves bytes between its socket and the core, and runs the calls they carry.

    socket ──▶ (TLS) ──▶ ServerConnection ──▶ events ──▶ calls ──▶ handlers
    socket ◀── (TLS) ◀── ServerConnection ◀─────────── answers ◀──┘

What one read brings is answered with one write. While the client does not read what it was sent, nothing more is read
from it nor made for it, so it can pile up no more than WRITE_BUFFER_BYTES and what one read leads to.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from cosi.rpc.address import Address
from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.http2.server_events import Began, Cancelled, RequestEnded, RequestMessage, ServerEvent
from cosi.rpc.http2.status import Code
from cosi.rpc.native.calls import EXPIRED, ManyAnswers, OneAnswer, Requests, RunningCall, cancelled_or_refused
from cosi.rpc.native.hosts import InContext
from cosi.rpc.native.routes import Route, Shape
from cosi.rpc.native.tls_layer import TlsFailed, TlsLayer
from cosi.rpc.seam import Call, Frames, Peer, Refusal

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

_SHOWN_CHARACTERS: Final = 100
_ONE_REQUEST: Final = (Shape.UNARY, Shape.SERVER_STREAMING)
_log = structlog.get_logger(component="rpc")


class _Requested:
    """A call that is answered when its one request message is complete."""

    __slots__ = ("call", "message", "route", "stream_id", "timer")

    def __init__(self, stream_id: int, route: Route, call: Call) -> None:
        self.stream_id = stream_id
        self.route = route
        self.call = call
        self.message: bytes | None = None
        self.timer: asyncio.TimerHandle | None = None

    def end_by_deadline(self, connection: Connection) -> None:
        """Wait for the rest no longer than the client does."""
        assert self.call.deadline is not None
        seconds = max(0.0, self.call.deadline - time.monotonic())
        self.timer = asyncio.get_running_loop().call_later(seconds, connection.expire_request, self.stream_id)


class Connection(asyncio.BufferedProtocol):
    """A connection from its first byte to its last. `tls` encrypts it."""

    def __init__(self, server: Server, tls: TlsLayer | None) -> None:
        self.core = ServerConnection()
        self.hosts = server.hosts
        self.last_heard = self._connected = time.monotonic()
        self._server = server
        self._tls = tls
        self._calls: dict[int, RunningCall] = {}
        self._requested: dict[int, _Requested] = {}
        self._timed: list[int] = []  # requests of this read that have a deadline
        self._stopped: list[RunningCall] = []  # until the client reads on
        self._transport: asyncio.Transport | None = None
        self._peer = Peer()
        self._dirty = False
        self._clogged_since: float | None = None
        self._lingering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the socket, and whose it is."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._peer = Peer(address=_address(transport.get_extra_info("peername")))
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
        if self._tls is None:
            self._receive(data)
        else:
            self._receive_tls(data, self._tls)
        self.flush()

    def eof_received(self) -> None:
        """Close: a client that sends no more can't be answered either, its credits would be missing."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all calls."""
        self._transport = None
        self._server.remove(self)
        for stream_id in tuple(self._requested):
            self._forget_request(stream_id)
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.cancel()

    def pause_writing(self) -> None:
        """Make nothing more for a client that does not read what it has."""
        self._clogged_since = time.monotonic()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on where the client stopped reading."""
        self._clogged_since = None
        if self._transport is not None:
            self._transport.resume_reading()
        self.touch()

    @property
    def clogged(self) -> bool:
        """Whether the client does not take what it has been answered already."""
        return self._clogged_since is not None or self.core.overfull

    def respond(self, call: RunningCall, frames: Frames) -> None:
        """Send a call's one answer."""
        if self._forget(call):
            self.core.respond(call.stream_id, frames)
            self.touch()

    def send(self, call: RunningCall, frames: Frames) -> bool:
        """Send a part of a call's answers; False if the client has to make room first, and is told of it then."""
        self.touch()
        return self.core.send(call.stream_id, frames)

    def finish(self, call: RunningCall, refusal: Refusal | None) -> None:
        """End a call's answers: all is well, or it is not."""
        if self._forget(call):
            self._finish(call.stream_id, refusal)
            self.touch()

    def taken(self, stream_id: int, message: bytes) -> None:
        """Let the client send more in place of a request message."""
        self.core.taken(stream_id, message)
        self.touch()

    def wake(self, call: ManyAnswers) -> None:
        """Let a call go on soon."""
        self._server.wake(call)

    def wait_until_unclogged(self, call: RunningCall) -> None:
        """Let a call go on when the client reads again."""
        self._stopped.append(call)

    def touch(self) -> None:
        """See to it that what was answered is sent, together with what else is answered in this turn of the loop."""
        if not self._dirty:
            self._dirty = True
            self._server.flush_soon(self)

    def flush(self) -> None:
        """Send what is due, of calls as well that had to stop."""
        if self._stopped and not self.clogged:
            stopped, self._stopped = self._stopped, []
            for call in stopped:
                call.writable()
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
        self.flush()

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
            _log.info("connection refused", peer=self._peer.address, reason=str(failure))
            self.core.closed = True
            return
        if not established and tls.established:
            self._peer = self._peer._replace(certificate=tls.peer_certificate)
        if plain:
            self._receive(plain)
        if tls.ended:
            self.core.closed = True

    def _receive(self, data: bytes) -> None:
        self.last_heard = time.monotonic()
        for event in self.core.receive(data):
            self._handle(event)
        for stream_id in self._timed:
            if requested := self._requested.get(stream_id):
                requested.end_by_deadline(self)
        self._timed.clear()

    def _handle(self, event: ServerEvent) -> None:
        stream_id = event.stream_id
        if isinstance(event, Began):
            self._begin(event)
        elif isinstance(event, RequestMessage):
            self._take_message(stream_id, event)
        elif isinstance(event, RequestEnded):
            self._end_request(stream_id)
        elif isinstance(event, Cancelled):
            self._forget_request(stream_id)
            if call := self._calls.pop(stream_id, None):
                call.cancel()
        elif call := self._calls.get(stream_id):
            call.writable()

    def _begin(self, began: Began) -> None:
        route = self._server.routes.get(began.head.path)
        if route is None:
            self.core.finish(began.stream_id, Code.UNIMPLEMENTED, f"no method {began.head.path[:_SHOWN_CHARACTERS]}")
            return
        if self.core.overfull:
            self.core.finish(began.stream_id, Code.RESOURCE_EXHAUSTED, "the client does not take what it was answered")
            return
        timeout = began.head.timeout_seconds
        deadline = None if timeout is None else time.monotonic() + timeout
        call = Call(began.head.metadata, deadline, self._peer)
        if route.shape in _ONE_REQUEST:
            self._requested[began.stream_id] = _Requested(began.stream_id, route, call)
            if deadline is not None:
                self._timed.append(began.stream_id)
        else:
            self._start_streaming(began.stream_id, route, call)

    def _take_message(self, stream_id: int, event: RequestMessage) -> None:
        requested = self._requested.get(stream_id)
        if requested is not None:
            if requested.message is not None:
                self._forget_request(stream_id)
                self.core.finish(stream_id, Code.UNIMPLEMENTED, "the method takes one message, and several came")
                return
            requested.message = event.content
            if event.last:
                self._start(requested)
        elif (call := self._calls.get(stream_id)) and call.requests is not None:
            call.requests.put(event.content)
            if event.last:
                call.requests.end()

    def _end_request(self, stream_id: int) -> None:
        if requested := self._requested.get(stream_id):
            if requested.message is None:
                self._forget_request(stream_id)
                self.core.finish(stream_id, Code.UNIMPLEMENTED, "the method takes one message, and none came")
            else:
                self._start(requested)
        elif (call := self._calls.get(stream_id)) and call.requests is not None:
            call.requests.end()

    def _start(self, requested: _Requested) -> None:
        stream_id, route, call = requested.stream_id, requested.route, requested.call
        self._forget_request(stream_id)
        answers = route.handler(requested.message, call)
        if route.shape is Shape.UNARY:
            self._answer_once(stream_id, answers, call)
        else:
            self._answer_many(ManyAnswers(self, stream_id, answers), call)

    def _start_streaming(self, stream_id: int, route: Route, call: Call) -> None:
        requests = Requests(self, stream_id)
        answers = route.handler(requests, call)
        if route.shape is Shape.CLIENT_STREAMING:
            self._answer_once(stream_id, answers, call, requests)
        else:
            self._answer_many(ManyAnswers(self, stream_id, answers, requests), call)

    def _answer_once(self, stream_id: int, coroutine: Any, call: Call, requests: Requests | None = None) -> None:
        host = self.hosts.take()
        if host is None:
            answer = coroutine
        else:
            try:
                answer = host.step(coroutine, contextvars.copy_context())
            except (Exception, asyncio.CancelledError) as error:
                self.hosts.give_back(host)
                self._finish(stream_id, cancelled_or_refused(error))
                return
            if not isinstance(answer, InContext):
                self.hosts.give_back(host)
                self.core.respond(stream_id, answer)
                return
        running = self._calls[stream_id] = OneAnswer(self, stream_id, requests)
        running.start(answer, host)
        running.end_by(call.deadline)

    def _answer_many(self, running: ManyAnswers, call: Call) -> None:
        self._calls[running.stream_id] = running
        running.go_on()
        if running.stream_id in self._calls:
            running.end_by(call.deadline)

    def _forget_request(self, stream_id: int) -> None:
        requested = self._requested.pop(stream_id, None)
        if requested is not None and requested.timer is not None:
            requested.timer.cancel()

    def expire_request(self, stream_id: int) -> None:
        """End a call whose deadline passed before its request was complete."""
        if self._requested.pop(stream_id, None):
            self._finish(stream_id, EXPIRED)
            self.touch()

    def _forget(self, call: RunningCall) -> bool:
        """Forget a call that ends; False if it ended before."""
        return self._calls.pop(call.stream_id, None) is not None

    def _finish(self, stream_id: int, refusal: Refusal | None) -> None:
        if refusal is None:
            self.core.finish(stream_id, Code.OK)
            return
        try:
            self.core.finish(stream_id, refusal.code, refusal.message, refusal.trailers)
        except ValueError as error:
            _log.error("a call ended with trailers that gRPC can't carry", exc_info=error)
            self.core.finish(stream_id, refusal.code, refusal.message)


def _address(peername: object) -> str:
    """Return a TCP client's address; those of unix sockets have none worth telling."""
    return str(Address(host=peername[0], port=peername[1])) if isinstance(peername, tuple) else ""
