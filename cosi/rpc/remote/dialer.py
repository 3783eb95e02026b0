"""How a server is reached: a socket, TLS where it leaves the machine, and the server's first words in HTTP/2.

Only then is there a connection. So whatever is wrong with an address, with a certificate or with what listens there is
found here, and said in plain words.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

import anyio

from cosi.rpc import address as addresses
from cosi.rpc import local_socket
from cosi.rpc.address import Address
from cosi.rpc.remote.connection import Connection, Owner
from cosi.rpc.remote.loop import Link, Loop
from cosi.rpc.tls import ALPN_HTTP2, ClientTls, explain_failure, explain_no_http2

CONNECT_SECONDS: Final = 10.0
"""How long all of it may take."""

LOCAL_AUTHORITY: Final = "localhost"
"""What a server behind a unix socket is called: whatever the socket, it is this machine."""


class NotReached(Exception):
    """There is nobody to talk to; the message says why."""


class Dialer:
    """Makes connections to one server. Raises ValueError for plain text to another machine."""

    def __init__(self, loop: Loop, address: Address, tls: ClientTls | None) -> None:
        self._loop = loop
        self._address = address
        self._authority = LOCAL_AUTHORITY if address.path else address.target
        self._tls: ssl.SSLContext | None = None
        self._server_name: str | None = None
        if address.path:
            return
        if tls is not None:
            self.renew(tls)
        elif not addresses.is_loopback(address.host):
            raise ValueError(f"will not speak plain text to {address}: it is another machine, which takes TLS")

    def renew(self, tls: ClientTls) -> None:
        """Make the next connections with other certificates; those that stand go on with what they began with."""
        self._tls, self._server_name = tls.context(), tls.name_of(self._address.host)
        self._authority = tls.server_name or self._address.target

    async def connect(self, owner: Owner) -> Connection:
        """Return a new connection, once the server has greeted. Raises NotReached."""
        scheme = "http" if self._tls is None else "https"
        connection = Connection(self._loop, owner, name=str(self._address), authority=self._authority, scheme=scheme)
        try:
            with anyio.fail_after(CONNECT_SECONDS):
                link = await self._link(connection)
                await self._expect_greeting(link, connection)
                return connection
        except (OSError, ValueError) as error:
            raise NotReached(self._explain(error)) from None

    async def _link(self, connection: Connection) -> Link:
        if self._address.path:
            return await self._loop.link(connection, _unix_socket(self._address.path))
        host, port = self._address.host, self._address.port
        failure: OSError | None = None
        # Looking a name up takes a thread, and what this one means is known.
        for each in addresses.LOCALHOST_ADDRESSES if host == "localhost" else (host,):
            try:
                return await self._loop.dial(connection, each, port, self._tls, self._server_name)
            except OSError as error:
                failure = failure or error
        assert failure is not None, "there is always an address to try"
        raise failure

    async def _expect_greeting(self, link: Link, connection: Connection) -> None:
        try:
            if self._tls is not None and link.protocol != ALPN_HTTP2:
                raise NotReached(explain_no_http2(str(self._address)))
            if not await connection.greeted():
                raise NotReached(connection.closing)
        except BaseException:
            link.abort()
            raise

    def _explain(self, error: OSError | ValueError) -> str:
        match error:
            case ssl.SSLError():
                return explain_failure(str(self._address), error)
            case OSError():
                return local_socket.explain(self._address, CONNECT_SECONDS, error)
            case _:
                return f"{self._address} can't be looked up: {error}"


def _unix_socket(path: str) -> socket.socket:
    """Connect without waiting: a server whose queue is full is one that has not answered."""
    connecting = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        connecting.connect(path)
    except BaseException:
        connecting.close()
        raise
    return connecting
