"""A node with a door, the logins to it, and talosctl at it."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path

import anyio
import msgspec

from cosi.resource.registry import Registry
from cosi.rpc.remote.state import connected
from cosi.rpc.tls import ClientTls, Identity
from cosi.state.core import CoreState
from machined.assembly import RESOURCES
from machined.door import DoorOptions
from machined.login import parse_endpoint, write_login
from talos.access import talosconfig
from talos.access.authorities import Authorities
from tests.scenarios.node import PATIENCE_SECONDS, Site
from tests.talosctl.talosctl import Talosctl, talosctl


class Login:
    """What a talosconfig says, as a client uses it."""

    def __init__(self, path: Path) -> None:
        config = talosconfig.read(path)
        context = config.contexts[config.context]
        self.address = parse_endpoint(context["endpoints"][0])
        ca, certificate, key = (base64.b64decode(context[each]) for each in ("ca", "crt", "key"))
        self.tls = ClientTls(ca, Identity(certificate, key))

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The same in OpenSSL's form."""
        return self.tls.context()

    @asynccontextmanager
    async def state(self) -> AsyncIterator[CoreState]:
        """Be connected to the node's state."""
        async with connected(self.address, Registry(RESOURCES), tls=self.tls, resume=False) as state:
            with anyio.fail_after(PATIENCE_SECONDS):
                yield state

    @asynccontextmanager
    async def talosctl(self, *nodes: str) -> AsyncIterator[Talosctl]:
        """Be talosctl, with `--nodes` if there are any."""
        with anyio.fail_after(PATIENCE_SECONDS):
            async with talosctl(self.address, self.context, nodes=nodes) as client:
                yield client


@asynccontextmanager
async def opened(directory: Path, images: Sequence[str] = (), site: Site | None = None) -> AsyncIterator[Site]:
    """Run a node with a door; the administrator's login lies in `talosconfig`."""
    site = site or Site(directory)
    site.write_config(*images)
    give_door(site, directory)
    async with site.node():
        yield site


def give_door(site: Site, directory: Path) -> None:
    """Give a node a door; it will write the administrator's login to `talosconfig`."""
    door = DoorOptions(parse_endpoint("127.0.0.1:0"), (), directory / "talosconfig")
    site.options = msgspec.structs.replace(site.options, door=door)


def administrator(directory: Path) -> Login:
    """Return the login that the node wrote."""
    return Login(directory / "talosconfig")


def login(directory: Path, *roles: str) -> Login:
    """Make another login, in these roles."""
    endpoint = administrator(directory).address.target
    output = directory / "-".join(["as", *roles])
    write_login(Authorities(directory / "state/pki"), output, [endpoint], roles=roles)
    return Login(output)
