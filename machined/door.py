"""The network door: TLS on a port, open to those whose certificate this node's authority signed.

STATE/pki ─▶ the server's certificate, and the one by which its peers know this node when it passes calls on to them;
             both are renewed long before they are over, and at once when an authority changes

In maintenance it is open to everybody. When that is over, certificates are asked for, and who came in without goes.
"""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import msgspec
import structlog
import watchfiles
from anyio import to_thread

from cosi.rpc import address, fingerprint
from cosi.rpc.address import Address
from cosi.rpc.http2.limits import MAX_REQUEST_BYTES, Allowance
from cosi.rpc.native import server
from cosi.rpc.native.admission import Bounds
from cosi.rpc.seam import Service
from cosi.rpc.tls import Certificates, ClientTls, Identity, ServerTls
from machined.address_book import AddressBook, Peer
from machined.login import (
    ANY_HOST,
    endpoint_of,
    now,
    parse_endpoint,
    reachable_addresses,
    require_own,
    write_login,
)
from machined.maintenance import Maintenance
from machined.peers import Peers, connected_peers
from machined.routing import Router
from talos.access.authorities import Authorities
from talos.access.certificates import SERVER_LIFETIME, Authority
from talos.access.roles import Role

RENEWED_AFTER_SECONDS: Final = SERVER_LIFETIME.total_seconds() / 2
SOON: Final = datetime.timedelta(days=90)
"""An authority with less time than this left is spoken of in the log."""

BOUNDS: Final = Bounds(
    clients=256,
    clients_of_a_host=64,
    each=Allowance(streams=256, buffered_bytes=MAX_REQUEST_BYTES + (1 << 20), unsent_bytes=2 << 20),
)
"""The dashboard has some forty calls open; a client may send one large config at a time, and leave two logs unread."""

_log = structlog.get_logger(component="door")


class DoorOptions(msgspec.Struct, frozen=True):
    """Where to listen; as what, HOST or HOST:PORT, clients know the node besides; where to leave a login; its peers."""

    listen: Address
    endpoints: Sequence[str] = ()
    talosconfig: Path | None = None
    peers: Sequence[Peer] = ()


@asynccontextmanager
async def opened(
    options: DoorOptions,
    authorities: Authorities,
    services: Sequence[Service],
    maintenance: Maintenance,
    *,
    hostname: str,
) -> AsyncIterator[Address]:
    """Serve while the body runs; yields the address with the port taken. Raises OSError, ValueError."""
    if options.talosconfig is not None:  # found out before anything is opened
        await to_thread.run_sync(require_own, authorities, options.talosconfig)
    own = _own_names(options, hostname)
    besides = [hostname.partition(".")[0], *await to_thread.run_sync(_names_of_the_machine)]
    book = AddressBook(own, options.peers, besides=besides)
    keeper = _Keeper(authorities, [*own, *besides], maintenance)
    async with connected_peers(options.peers, keeper.tls_of_a_client(), me=hostname) as peers:
        routed = map(Router(book, peers, maintenance).routed, services)
        async with (
            server.serving([*routed], [options.listen], keeper.certificates, BOUNDS) as (taken,),
            anyio.create_task_group() as tasks,
        ):
            if options.talosconfig is not None:
                endpoints = [*options.endpoints] or [endpoint_of(taken)]
                keeper.login = _Login(authorities, options.talosconfig, endpoints)
                await to_thread.run_sync(keeper.login.write)
            closing = anyio.Event()
            tasks.start_soon(keeper.renew, peers, closing)
            if maintenance.on:
                tasks.start_soon(keeper.leave_maintenance, peers, endpoint_of(taken))
            try:
                yield taken
            finally:
                closing.set()
                tasks.cancel_scope.cancel()


class _Login:
    """The login that is left in a file, and made anew when another authority certifies clients."""

    def __init__(self, authorities: Authorities, path: Path, endpoints: Sequence[str]) -> None:
        self._authorities = authorities
        self._path = path
        self._endpoints = endpoints
        self._authority = b""

    def write(self) -> None:
        """Write it, unless it is there. Raises TalosconfigError, OSError, ValueError."""
        newest = self._authorities.newest.pair.certificate
        if newest != self._authority:
            write_login(self._authorities, self._path, self._endpoints)
            self._authority = newest


class _Keeper:
    """Exchanges the door's certificates when it is time."""

    def __init__(self, authorities: Authorities, names: Sequence[str], maintenance: Maintenance) -> None:
        self._authorities = authorities
        self._names = names
        self._maintenance = maintenance
        self._exchanging = anyio.Lock()
        self.certificates = Certificates(self._tls())
        self.login: _Login | None = None

    async def renew(self, peers: Peers, closing: anyio.Event) -> None:
        """Exchange them from time to time, and when an authority changes."""
        # One watch for good: between two of them a change would go unseen. It waits in a thread, which only the event
        # ends.
        timeout, directory = int(RENEWED_AFTER_SECONDS * 1000), self._authorities.directory
        async for _ in watchfiles.awatch(
            directory, recursive=False, rust_timeout=timeout, yield_on_timeout=True, stop_event=closing
        ):
            await self._exchange(self.certificates.reload, peers)

    async def leave_maintenance(self, peers: Peers, endpoint: str) -> None:
        """Say how to end maintenance, and ask for certificates as soon as it is over."""
        how = f"talosctl apply-config --insecure --nodes {endpoint} --file FILE"
        certificate = ssl.PEM_cert_to_DER_cert(self.certificates.tls.identity.certificate.decode())
        pinned = fingerprint.of_certificate(certificate)
        _log.warning("the node has no config: anybody may give it one", how=how, cert_fingerprint=pinned)
        await self._maintenance.until_over()
        await self._exchange(self.certificates.replace, peers)
        self._maintenance.leave()
        _log.info("maintenance is over: clients need certificates from now on")

    def tls_of_a_client(self) -> ClientTls:
        """Return what a node is to its peers. In the middle of a rotation they may not know the successor yet."""
        pair = self._authorities.current.for_client([Role.IMPERSONATOR], now(), lifetime=SERVER_LIFETIME)
        return ClientTls(self._authorities.accepted, Identity(*pair))

    async def _exchange(self, put_in_force: Callable[[ServerTls], None], peers: Peers) -> None:
        # One after the other, so that nothing from before the end of maintenance is put in force after it.
        async with self._exchanging:
            tls = self.certificates.tls
            try:
                tls = await to_thread.run_sync(self._tls)
                peers.renew(await to_thread.run_sync(self.tls_of_a_client))
            except (OSError, ValueError) as error:
                _log.error("the door keeps its certificate", problem=str(error))
            else:
                _log.info("the door has a new certificate")
            put_in_force(tls)
            if self.login is not None:
                try:
                    await to_thread.run_sync(self.login.write)
                except (OSError, ValueError) as error:
                    _log.error("no login is written", problem=str(error))

    def _tls(self) -> ServerTls:
        authority = self._authorities.current
        _warn_of_end(authority)
        identity = Identity(*authority.for_server(self._names, now()))
        return ServerTls(identity, client_ca=None if self._maintenance.on else self._authorities.accepted)


def _warn_of_end(authority: Authority) -> None:
    if authority.not_after - now() < SOON:
        _log.warning("the authority ends soon: rotate it with machined pki", until=authority.not_after.isoformat())


def _own_names(options: DoorOptions, hostname: str) -> Sequence[str]:
    """Return what the node alone is called."""
    told = [parse_endpoint(each).host for each in options.endpoints]
    listening = [] if options.listen.host in ANY_HOST else [options.listen.host]
    return [hostname, *told, *listening]


def _names_of_the_machine() -> Sequence[str]:
    """Return what a node is called because of where it runs."""
    return [*reachable_addresses(), *address.LOCALHOST_ADDRESSES, "localhost", socket.gethostname()]
