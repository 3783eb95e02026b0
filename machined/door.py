"""The network door: TLS on a port, open to those whose certificate this node's authority signed.

STATE/pki ─▶ the server's certificate, and the one by which its peers know this node when it passes calls on to them;
             both are renewed long before they are over, and at once when an authority changes
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import msgspec
import structlog
import watchfiles
from anyio import to_thread

from cosi.rpc import address
from cosi.rpc.address import Address
from cosi.rpc.http2.limits import MAX_REQUEST_BYTES, Allowance
from cosi.rpc.native import server
from cosi.rpc.native.admission import Bounds
from cosi.rpc.seam import Service
from cosi.rpc.tls import Certificates, ClientTls, Identity, ServerTls
from machined.address_book import AddressBook, Peer
from machined.login import ANY_HOST, endpoint_of, now, parse_endpoint, reachable_addresses, write_login
from machined.peers import Peers, connected_peers
from machined.routing import Router
from talos.access.authorities import Authorities
from talos.access.certificates import SERVER_LIFETIME, Authority
from talos.access.roles import Role

RENEWED_AFTER_SECONDS: Final = SERVER_LIFETIME.total_seconds() / 2
SOON: Final = datetime.timedelta(days=90)
"""An authority with less time than this left is spoken of in the log."""

BOUNDS: Final = Bounds(
    clients=256, clients_of_a_host=64, each=Allowance(streams=256, buffered_bytes=MAX_REQUEST_BYTES + (1 << 20))
)
"""The dashboard has some forty calls open; a client may send one large config at a time."""

_log = structlog.get_logger(component="door")


class DoorOptions(msgspec.Struct, frozen=True):
    """Where to listen; as what, HOST or HOST:PORT, clients know the node besides; where to leave a login; its peers."""

    listen: Address
    endpoints: Sequence[str] = ()
    talosconfig: Path | None = None
    peers: Sequence[Peer] = ()


@asynccontextmanager
async def opened(
    options: DoorOptions, directory: Path, services: Sequence[Service], *, hostname: str
) -> AsyncIterator[Address]:
    """Serve while the body runs; yields the address with the port taken. Raises OSError, ValueError."""
    authorities = Authorities(directory)
    await to_thread.run_sync(authorities.ensure, now())
    own = _own_names(options, hostname)
    besides = [hostname.partition(".")[0], *await to_thread.run_sync(_names_of_the_machine)]
    book = AddressBook(own, options.peers, besides=besides)
    names = [*own, *besides]
    certificates = Certificates(_tls(authorities, names))
    async with (
        connected_peers(options.peers, _tls_of_a_client(authorities), me=hostname) as peers,
        server.serving([*map(Router(book, peers).routed, services)], [options.listen], certificates, BOUNDS) as (
            taken,
        ),
        anyio.create_task_group() as tasks,
    ):
        if options.talosconfig is not None:
            endpoints = [*options.endpoints] or [endpoint_of(taken)]
            await to_thread.run_sync(partial(write_login, authorities, options.talosconfig, endpoints))
        closing = anyio.Event()
        tasks.start_soon(_renew, authorities, names, certificates, peers, closing)
        try:
            yield taken
        finally:
            closing.set()


async def _renew(
    authorities: Authorities,
    names: Sequence[str],
    certificates: Certificates,
    peers: Peers,
    closing: anyio.Event,
) -> None:
    # One watch for good: between two of them a change would go unseen. It waits in a thread, which only the event ends.
    timeout = int(RENEWED_AFTER_SECONDS * 1000)
    async for _ in watchfiles.awatch(
        authorities.directory, recursive=False, rust_timeout=timeout, yield_on_timeout=True, stop_event=closing
    ):
        try:
            certificates.reload(await to_thread.run_sync(_tls, authorities, names))
            peers.renew(await to_thread.run_sync(_tls_of_a_client, authorities))
        except (OSError, ValueError) as error:
            _log.error("the door keeps its certificate", problem=str(error))
        else:
            _log.info("the door has a new certificate")


def _tls(authorities: Authorities, names: Sequence[str]) -> ServerTls:
    authority = authorities.current
    _warn_of_end(authority)
    return ServerTls(Identity(*authority.for_server(names, now())), client_ca=authorities.accepted)


def _tls_of_a_client(authorities: Authorities) -> ClientTls:
    """Return what a node is to its peers. In the middle of a rotation they may not know the successor yet."""
    pair = authorities.current.for_client([Role.IMPERSONATOR], now(), lifetime=SERVER_LIFETIME)
    return ClientTls(authorities.accepted, Identity(*pair))


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
