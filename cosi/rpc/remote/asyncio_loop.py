"""A client on asyncio: its links are protocols that the loop calls, so there is no task for a connection or a call."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Final, cast

from cosi.rpc.remote.loop import READ_BYTES, Carried

WRITE_BUFFER_BYTES: Final = 256 << 10
"""How much may wait for a server that does not read before no more is made for it."""


class AsyncioLoop:
    """The running loop of asyncio, as a client sees it."""

    def __init__(self, running: asyncio.AbstractEventLoop) -> None:
        self.time: Callable[[], float] = running.time
        self.waiter: Callable[[], asyncio.Future[None]] = running.create_future
        self.call_later = running.call_later
        self._running = running

    def start(self, work: Callable[[], Awaitable[None]]) -> AsyncioJob:
        """Begin a task of the loop's own."""
        return AsyncioJob(asyncio.ensure_future(work()))

    async def link(self, carried: Carried, connected: socket.socket) -> AsyncioLink:
        """Carry a connection over a unix socket."""
        _, link = await self._running.create_unix_connection(
            lambda: AsyncioLink(carried, self._running), sock=connected
        )
        return link

    async def dial(
        self, carried: Carried, host: str, port: int, tls: ssl.SSLContext | None, server_name: str | None
    ) -> AsyncioLink:
        """Carry a connection over TCP, without delay: TCP_NODELAY is asyncio's default."""
        _, link = await self._running.create_connection(
            lambda: AsyncioLink(carried, self._running), host, port, ssl=tls, server_hostname=server_name
        )
        return link


class AsyncioJob:
    """A task that others can wait for."""

    def __init__(self, task: asyncio.Future[None]) -> None:
        self._task = task

    def cancel(self) -> None:
        """Cancel the task."""
        self._task.cancel()

    async def over(self) -> None:
        """Wait for the task."""
        await asyncio.wait((self._task,))


class AsyncioLink(asyncio.BufferedProtocol):
    """A transport of asyncio, as a connection sees it."""

    def __init__(self, carried: Carried, running: asyncio.AbstractEventLoop) -> None:
        self._carried = carried
        self._running = running
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._transport: asyncio.Transport | None = None
        self._clogged = self._speaking_soon = False

    @property
    def protocol(self) -> str | None:
        """What both sides agreed to speak."""
        secure = self._transport and self._transport.get_extra_info("ssl_object")
        return secure.selected_alpn_protocol() if secure else None

    def speak_soon(self) -> None:
        """Have `speak` called behind all that the loop is to call before it."""
        if not self._speaking_soon:
            self._speaking_soon = True
            self._running.call_soon(self.speak)

    def speak(self) -> None:
        """Send what is to be said."""
        self._speaking_soon = False
        transport = self._transport
        if transport is None or transport.is_closing() or self._clogged:
            return  # the core counts what is not fetched, and gives a server up that asks for more and reads nothing
        if data := self._carried.words():
            transport.write(data)

    def close(self) -> None:
        """Say the last words, and close when they have been sent."""
        self.speak()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin at once: the server waits to be greeted."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._carried.carried_by(self)
        self.speak()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the buffer that the socket is read into; what is read is taken out at once."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over what was read."""
        self._carried.receive(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over why."""
        self._transport = None
        self._carried.lost(exc)

    def pause_writing(self) -> None:
        """Make nothing more for a server that does not read what it has."""
        self._clogged = True

    def resume_writing(self) -> None:
        """Go on where the server stopped reading."""
        self._clogged = False
        self.speak()
