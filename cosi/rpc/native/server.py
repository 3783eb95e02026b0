"""Serve services on sockets with a transport of our own; the same seam as `cosi.rpc.grpcio.server`.

In one turn of the loop every connection is read, what happened is taken by all who wait for it, and each connection is
written once. What a client can make the server hold or do is bounded here, in `connection` and in
`cosi.rpc.http2.limits`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Final

import anyio
import structlog

from cosi.rpc import listening
from cosi.rpc.address import Address
from cosi.rpc.native.admission import LOCAL, Admission, Bounds
from cosi.rpc.native.connection import Connection
from cosi.rpc.native.hosts import Hosts
from cosi.rpc.native.routes import routes
from cosi.rpc.native.streams import ManyAnswers
from cosi.rpc.native.tls_layer import TlsLayer
from cosi.rpc.seam import Service
from cosi.rpc.tls import Certificates, ServerTls

READ_BYTES: Final = 32 << 10
"""What is read of one connection before others get their turn: some hundreds of small requests."""

CALLS_AT_ONCE: Final = 1024
"""How many calls that were told of something go on before sockets are looked at again."""

LOOK_AFTER_SECONDS: Final = 5.0
"""How often connections are looked after; how precise their timeouts are."""

ACCEPTED_AT_ONCE: Final = 16
"""How many connections are taken before those that are there get their turn: a handshake takes some four turns, and
must be over before admission would push it out."""

GRACE_SECONDS: Final = 1.0
"""How long calls may still run when the server stops, or sends everybody away."""

_log = structlog.get_logger(component="rpc")


class Server:
    """What the connections of one server share. Belongs to the running loop."""

    def __init__(self, services: Sequence[Service], bounds: Bounds = LOCAL) -> None:
        self.routes = routes(services)
        self.bounds = bounds
        self.hosts = Hosts()
        self.read_buffer = memoryview(bytearray(READ_BYTES))
        self._loop = asyncio.get_running_loop()
        self._admission: Admission[Connection] = Admission(bounds)
        self._emptied: asyncio.Future[None] | None = None
        self._turning_away = False
        self._told: list[ManyAnswers] = []
        self._unsent: list[Connection] = []
        self._turn_due = False
        self._looking_after: asyncio.TimerHandle | None = None

    def add(self, connection: Connection) -> None:
        """Look after a connection; if too many have not shaken hands, one of them has to go for it."""
        crowded_out = self._admission.arrive(connection)
        if self._emptied is not None:
            connection.abort()  # it had been accepted when the server began to stop
        elif crowded_out is not None:
            crowded_out.abort()
        if self._looking_after is None:
            self._looking_after = self._loop.call_later(LOOK_AFTER_SECONDS, self._look_after)

    def welcome(self, connection: Connection) -> bool:
        """Take a connection that has shaken hands for a client; False if there are too many, and it was turned away."""
        if self._admission.welcome(connection):
            self._turning_away = False
            return True
        connection.abort()
        if not self._turning_away:
            self._turning_away = True  # said once, and not again before there was room
            _log.warning("too many connections: more are turned away", host=connection.host, limits=self.bounds[:2])
        return False

    def see_off(self, connection: Connection) -> None:
        """Have a connection that ends take no client's place any more."""
        lingers_too_long = self._admission.depart(connection)
        if lingers_too_long is not None:
            lingers_too_long.abort()

    def remove(self, connection: Connection) -> None:
        """Forget a connection that was closed."""
        self._admission.leave(connection)
        if self._emptied is not None and not self._emptied.done() and not self._admission.guests:
            self._emptied.set_result(None)

    def wake(self, call: ManyAnswers) -> None:
        """Let a call go on in the next turn."""
        self._told.append(call)
        self._have_turn()

    def flush_soon(self, connection: Connection) -> None:
        """Write what is due on a connection, at the end of the next turn."""
        self._unsent.append(connection)
        self._have_turn()

    def send_away(self) -> None:
        """End the connections over TLS: their calls may still run for a moment, and no new ones begin."""
        leaving = [connection for connection in self._admission.guests if connection.encrypted]
        for connection in leaving:
            connection.shut_down()
        self._loop.call_later(GRACE_SECONDS, _abort_all, leaving)

    async def stop(self) -> None:
        """Let the calls under way end for a moment, then end them."""
        self._emptied = self._loop.create_future()
        for connection in self._admission.guests:
            connection.shut_down()
        if self._admission.guests:
            await asyncio.wait([self._emptied], timeout=GRACE_SECONDS)
        for connection in self._admission.guests:
            connection.abort()
        await self.hosts.close()
        if self._admission.guests:
            await self._emptied
        if self._looking_after is not None:
            self._looking_after.cancel()

    def _have_turn(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turn_due = False
        told, self._told = self._told[:CALLS_AT_ONCE], self._told[CALLS_AT_ONCE:]
        for call in told:
            call.go_on()
        unsent, self._unsent = self._unsent, []
        for connection in unsent:
            connection.flush()
        if self._told:
            self._have_turn()

    def _look_after(self) -> None:
        now = time.monotonic()
        for connection in (guests := self._admission.guests):
            connection.look_after(now)
        self._looking_after = self._loop.call_later(LOOK_AFTER_SECONDS, self._look_after) if guests else None


@asynccontextmanager
async def serving(
    services: Sequence[Service],
    addresses: Sequence[Address],
    tls: ServerTls | Certificates | None,
    bounds: Bounds = LOCAL,
) -> AsyncIterator[Sequence[Address]]:
    """Serve while the body runs; yields the addresses with the ports that were taken.

    With `tls` every TCP address speaks TLS, a unix socket never does. `bounds` are those of all addresses together.

    Raises OSError, ValueError; see `cosi.rpc.serving`.
    """
    certificates = Certificates(tls) if isinstance(tls, ServerTls) else tls
    loop = asyncio.get_running_loop()
    server = Server(services, bounds)
    taken: list[Address] = []
    listeners: list[asyncio.Server] = []
    if certificates is not None:
        certificates.on_replaced(server.send_away)
    try:
        for wanted in addresses:
            sockets = listening.sockets(wanted, tls=certificates is not None)
            taken.append(listening.bound(wanted, sockets))
            accept = _accepting(server, None if wanted.path else certificates)
            with ExitStack() as unserved:
                for one in sockets:
                    unserved.callback(one.close)
                for one in sockets:
                    listeners.append(await loop.create_server(accept, sock=one, backlog=ACCEPTED_AT_ONCE))
                    one.listen(listening.MAX_WAITING_CONNECTIONS)  # asyncio makes one number of both
                unserved.pop_all()
        yield taken
    finally:
        with anyio.CancelScope(shield=True):
            for listener in listeners:
                listener.close()
            await server.stop()
        listening.release(taken)


def _abort_all(connections: Iterable[Connection]) -> None:
    for connection in connections:
        connection.abort()


def _accepting(server: Server, certificates: Certificates | None) -> Callable[[], Connection]:
    def accept() -> Connection:
        # Asked for each connection anew: the certificates may have been exchanged.
        return Connection(server, None if certificates is None else TlsLayer(certificates.context))

    return accept
