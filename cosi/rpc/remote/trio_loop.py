"""A client on trio: two tasks for a connection, one that reads and one that writes, and none for a call.

They are trio's system tasks. A connection serves whoever calls, so it is nobody's child: a cancelled caller, or one
that is interrupted from the keyboard, does not take along what others wait for. They end with their connection, and
`connected` waits for that.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable

import structlog
import trio

from cosi.rpc.remote.loop import READ_BYTES, Carried
from cosi.state.wakeups import TrioWaiter

_log = structlog.get_logger(component="rpc")


class TrioLoop:
    """The running loop of trio, as a client sees it."""

    def time(self) -> float:
        """Return trio's clock."""
        return trio.current_time()

    def waiter(self) -> TrioWaiter:
        """Return what a future is to asyncio."""
        return TrioWaiter()

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> TrioJob:
        """Begin a job that waits and calls."""

        async def wait() -> None:
            await trio.sleep(delay)
            callback(*args)

        return self.start(wait)

    def start(self, work: Callable[[], Awaitable[None]]) -> TrioJob:
        """Begin a system task."""
        return TrioJob(work)

    async def link(self, carried: Carried, connected: socket.socket) -> TrioLink:
        """Carry a connection over a unix socket."""
        return TrioLink(carried, trio.SocketStream(trio.socket.from_stdlib_socket(connected)))

    async def dial(
        self, carried: Carried, host: str, port: int, tls: ssl.SSLContext | None, server_name: str | None
    ) -> TrioLink:
        """Carry a connection over TCP, without delay: TCP_NODELAY is trio's default."""
        stream = trio.SocketStream(await _connect(host, port))
        if tls is None:
            return TrioLink(carried, stream)
        encrypted = trio.SSLStream(stream, tls, server_hostname=server_name)
        try:
            await encrypted.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(encrypted)
            raise error.__cause__ or error from None
        return TrioLink(carried, encrypted, encrypted.selected_alpn_protocol())


class TrioJob:
    """A system task that others can wait for."""

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        trio.lowlevel.spawn_system_task(self._run, work)

    def cancel(self) -> None:
        """Cancel the task."""
        self._scope.cancel()

    async def over(self) -> None:
        """Wait for the task."""
        await self._ended.wait()

    async def _run(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            with self._scope:
                await work()
        finally:
            self._ended.set()


class TrioLink:
    """A stream of trio, as a connection sees it."""

    def __init__(self, carried: Carried, stream: trio.abc.Stream, protocol: str | None = None) -> None:
        self.protocol = protocol
        self._carried = carried
        self._stream = stream
        self._error: BaseException | None = None
        self._closing = self._speaking_soon = False
        self._silence = trio.lowlevel.ParkingLot()
        self._job = TrioJob(self._run)
        carried.carried_by(self)
        self.speak_soon()

    def speak_soon(self) -> None:
        """Have the writer fetch what is to be said."""
        if not self._speaking_soon:
            self._speaking_soon = True
            self._silence.unpark()

    def close(self) -> None:
        """Have the writer say the last words and close."""
        self._closing = True
        self.speak_soon()

    def abort(self) -> None:
        """Cancel both tasks, which closes the socket."""
        self._job.cancel()

    async def _run(self) -> None:
        try:
            async with self._stream, trio.open_nursery() as both:
                for move in (self._read, self._write):
                    both.start_soon(self._until_the_end, move, both.cancel_scope)
        finally:
            self._carried.lost(self._error)

    async def _until_the_end(self, move: Callable[[], Awaitable[None]], both: trio.CancelScope) -> None:
        """Move bytes until there are no more, or none can be moved; then the other direction ends as well."""
        try:
            await move()
        except trio.BrokenResourceError as broken:
            # A server that hangs up without saying so in TLS too has hung up: HTTP/2 knows what was cut.
            if not isinstance(broken.__cause__, ssl.SSLEOFError):
                self._error = self._error or broken.__cause__
        except Exception as error:
            _log.exception("connection failed")
            self._error = self._error or error
        both.cancel()

    async def _read(self) -> None:
        while data := await self._stream.receive_some(READ_BYTES):
            self._carried.receive(bytes(data))

    async def _write(self) -> None:
        while self._speaking_soon or not self._closing:
            if not self._speaking_soon:
                await self._silence.park()
            # Whoever a read has woken has its turn before this: what it says now goes out in the same write.
            await trio.lowlevel.checkpoint()
            self._speaking_soon = False
            if data := self._carried.words():
                await self._stream.send_all(data)


async def _connect(host: str, port: int) -> trio.socket.SocketType:
    """Connect to the first address of a host that answers; if none does, raise why the first did not."""
    failure: OSError | None = None
    for family, kind, protocol, _, where in await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connecting = trio.socket.socket(family, kind, protocol)
        try:
            await connecting.connect(where)  # cancelled, it closes the socket
        except OSError as error:
            connecting.close()
            failure = failure or error
        else:
            return connecting
    assert failure is not None, "a host that was found has an address"
    raise failure
