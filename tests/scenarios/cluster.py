"""Nodes of one authority in this process, each on a loopback address of its own and a peer of the others."""

from __future__ import annotations

import datetime
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import msgspec
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message

from cosi.rpc.address import Address
from cosi.state.state import State
from machined.address_book import Peer
from machined.assembly import running
from machined.door import DoorOptions
from machined.login import write_login
from talos._pb.machine import machine_pb2
from talos.access.authorities import Authorities
from talos.access.roles import Role
from tests.scenarios.door import Login
from tests.scenarios.node import Site
from tests.talosctl.talosctl import MACHINE, Talosctl
from tests.talosctl.wire import Headers

NAMES = ("a", "b", "c")


class Cluster:
    """What all nodes have in common: an authority, and knowing each other."""

    def __init__(self, directory: Path, names: Sequence[str] = NAMES) -> None:
        self.directory = directory
        self.peers = [Peer(name, _free(f"127.0.0.{number}")) for number, name in enumerate(names, 2)]
        self.authorities = Authorities(directory / "pki")
        self.authorities.ensure(datetime.datetime.now(datetime.UTC))

    def address(self, name: str) -> Address:
        """Return where a node listens."""
        return next(peer.address for peer in self.peers if peer.name == name)

    def login(self, name: str, *roles: str) -> Login:
        """Make a login at a node, an administrator's unless told."""
        output = self.directory / "-".join(["login", name, *roles])
        endpoint = self.address(name).target
        write_login(self.authorities, output, [endpoint], roles=roles or (Role.ADMIN,), merge=True)
        return Login(output)

    @asynccontextmanager
    async def node(self, name: str, peers: Sequence[Peer] | None = None) -> AsyncIterator[State]:
        """Run one of the nodes, which knows the others unless told otherwise."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        if not (directory / "state").exists():
            (directory / "state").mkdir()
            (directory / "state/pki").symlink_to(self.directory / "pki")
        site = Site(directory)
        site.write_config()
        others = [peer for peer in self.peers if peer.name != name]
        door = DoorOptions(self.address(name), peers=others if peers is None else peers)
        async with running(msgspec.structs.replace(site.options, hostname=name, door=door)) as node:
            yield node.state

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run all of them."""
        async with AsyncExitStack() as nodes:
            for peer in self.peers:
                await nodes.enter_async_context(self.node(peer.name))
            yield


async def hostname(client: Talosctl, node: str) -> str:
    """Ask a node what it is called."""
    answer = await client.unary(f"{MACHINE}/Hostname", Empty(), machine_pb2.HostnameResponse, node)
    return answer.messages[0].hostname


async def call(client: Talosctl, path: str, request: Message, metadata: Headers) -> bytes:
    """Return the first answer to a call with other metadata than talosctl's."""
    async with aclosing(client.raw(path, request.SerializeToString(), metadata=metadata)) as answers:
        return await anext(answers)


def _free(host: str) -> Address:
    with socket.create_server((host, 0)) as taken:
        return Address(host=host, port=taken.getsockname()[1])
