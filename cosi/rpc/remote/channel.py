"""The way to a server: a connection made when first needed, made again when it broke, closed with all calls on it.

Calls that need one while there is none share one attempt. If that fails they are told why, and so is everybody who
comes within the next moment: nobody waits for a server that is not there. A connection that the server is leaving takes
no more calls, and ends when those on it have.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio

from cosi.backoff import Backoff
from cosi.rpc.address import Address
from cosi.rpc.remote.connection import Connection
from cosi.rpc.remote.dialer import Dialer, NotReached
from cosi.rpc.remote.loop import Job, Loop, running_loop
from cosi.rpc.tls import ClientTls
from cosi.state import errors
from cosi.state.wakeups import Wakeups

MIN_RECONNECT_SECONDS: Final = 0.1
MAX_RECONNECT_SECONDS: Final = 5.0
"""Between two attempts to connect. gRPC's own limit of two minutes would leave a resuming watch waiting for nothing."""

CLOSE_SECONDS: Final = 1.0
"""How long a server may take to part; then the connection is closed without it."""


class Closed(errors.Unavailable):
    """The channel was closed on this side, while the call went on or before it: trying again is no use."""

    def __init__(self) -> None:
        super().__init__("the connection to the state was closed on this side")


@asynccontextmanager
async def open_channel(address: Address, tls: ClientTls | None) -> AsyncIterator[Channel]:
    """Hold a channel while the body runs; calls still open then end. Raises ValueError for plain text to elsewhere."""
    loop = running_loop()
    channel = Channel(loop, Dialer(loop, address, tls))
    try:
        yield channel
    finally:
        with anyio.CancelScope(shield=True):
            await channel.aclose()


class Channel:
    """The connections to one server: the one that takes calls, and those it has left whose calls go on."""

    def __init__(self, loop: Loop, dialer: Dialer) -> None:
        self.loop = loop
        self._dialer = dialer
        self._connections: set[Connection] = set()
        self._removal = Wakeups()
        self._current: Connection | None = None
        self._attempt: Job | None = None
        self._backoff = Backoff(initial_seconds=MIN_RECONNECT_SECONDS, max_seconds=MAX_RECONNECT_SECONDS)
        self._next_attempt = 0.0
        self._failure = ""
        self._closed = False

    def renew(self, tls: ClientTls) -> None:
        """Make the next connections with other certificates."""
        self._dialer.renew(tls)

    def ready(self) -> Connection | None:
        """Return the connection that takes calls now, if there is one. Raises Closed."""
        if self._closed:
            raise Closed
        if self._current is not None and self._current.closing:
            self._give_up(self._current)
        return self._current

    async def connected(self) -> Connection:
        """Return a connection that takes calls, after at most one attempt. Raises Unavailable, Closed.

        Cancelled, it leaves the attempt to those who come after.
        """
        if connection := self.ready():
            return connection
        if self._attempt is None:
            if self.loop.time() < self._next_attempt:
                raise errors.Unavailable(self._failure)
            self._attempt = self.loop.start(self._connect)
        await self._attempt.over()
        if connection := self.ready():
            return connection
        raise errors.Unavailable(self._failure)

    async def aclose(self) -> None:
        """Close all connections; calls on them end with Closed."""
        self._closed = True
        if self._attempt is not None:
            self._attempt.cancel()
            await self._attempt.over()
        for connection in tuple(self._connections):
            connection.close()
        with anyio.move_on_after(CLOSE_SECONDS):
            await self._all_removed()
        for connection in tuple(self._connections):
            connection.abort()
        await self._all_removed()

    def add(self, connection: Connection) -> None:
        """Note that a connection has a socket."""
        self._connections.add(connection)

    def remove(self, connection: Connection) -> None:
        """Note that a connection has none any more."""
        self._connections.remove(connection)
        self._removal.wake_all()

    async def _connect(self) -> None:
        try:
            self._current = await self._dialer.connect(self)
        except NotReached as error:
            self._failure = str(error)
        finally:
            self._attempt = None
            self._next_attempt = self.loop.time() + self._backoff.next()

    def _give_up(self, connection: Connection) -> None:
        """Look for another connection: at once, unless this one was good for nothing."""
        self._current = None
        self._failure = connection.closing
        if connection.has_answered:
            self._backoff.reset()
            self._next_attempt = 0.0

    async def _all_removed(self) -> None:
        while self._connections:
            await self._removal.wait()
