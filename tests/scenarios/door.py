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
from cosi.rpc.tls import ALPN_HTTP2, ClientTls, Identity
from cosi.state.core import CoreState
from cosi.state.state import State
from machined.door import DoorOptions
from machined.login import parse_endpoint, write_login
from resources import boot_status
from resources.registered import RESOURCES
from talos.access import talosconfig
from talos.access.authorities import Authorities
from talos.access.talosconfig import Talosconfig
from tests.scenarios.node import GOOD, PATIENCE_SECONDS, Site
from tests.talos.extensions import archives
from tests.talosctl.talosctl import Talosctl, talosctl

LARGE = b"x" * 200_000
"""A program that is sent in several pieces."""


class Login:
    """What a talosconfig says, as a client uses it."""

    def __init__(self, path: Path) -> None:
        config = talosconfig.read(path)
        self.address = parse_endpoint(config.contexts[config.context]["endpoints"][0])
        self.tls = tls_of(config)

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
    async def insecure(self) -> AsyncIterator[Talosctl]:
        """Be talosctl with `--insecure`: without a certificate, and content with whichever the node has."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([ALPN_HTTP2])
        with anyio.fail_after(PATIENCE_SECONDS):
            async with talosctl(self.address, context, insecure=True) as client:
                yield client

    @asynccontextmanager
    async def talosctl(self, *nodes: str) -> AsyncIterator[Talosctl]:
        """Be talosctl, with `--nodes` if there are any."""
        with anyio.fail_after(PATIENCE_SECONDS):
            async with talosctl(self.address, self.context, nodes=nodes) as client:
                yield client


def tls_of(config: Talosconfig) -> ClientTls:
    """Return how a client connects with the login in a talosconfig."""
    context = config.contexts[config.context]
    ca, certificate, key = (base64.b64decode(context[each]) for each in ("ca", "crt", "key"))
    return ClientTls(ca, Identity(certificate, key))


@asynccontextmanager
async def opened(directory: Path, images: Sequence[str] = (), site: Site | None = None) -> AsyncIterator[Site]:
    """Run a node with a door and a config; the administrator's login lies in `talosconfig`."""
    site = site or Site(directory)
    site.write_config(*images)
    async with door_of(site):
        yield site


@asynccontextmanager
async def door_of(site: Site) -> AsyncIterator[State]:
    """Run a node with a door on the config that is there, or none."""
    give_door(site, site.config.parent)
    async with site.node() as state:
        yield state


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


@asynccontextmanager
async def booted(directory: Path) -> AsyncIterator[Talosctl]:
    """Be talosctl at a node that has booted an extension with a program and a link that wants to get out."""
    site = Site(directory)
    site.add_image(
        "good",
        archives.file("rootfs/usr/local/bin/good", LARGE, mode=0o755),
        archives.symlink("rootfs/usr/local/bin/passwd", "/etc/passwd"),
    )
    async with opened(directory, [GOOD], site), administrator(directory).talosctl() as talosctl:
        async for event in talosctl.watch("boot"):
            if event.resource.metadata.id == boot_status.ID and 'activation: ""' not in event.resource.spec.yaml_spec:
                break
        yield talosctl
