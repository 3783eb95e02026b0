"""A node on the network as the command line meets it, with every call written down; and that command line."""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import yaml
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner, Result

from cosi.cli.main import cli
from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, Refusal, ServerStreaming, Service, Unary, frame
from cosi.rpc.service import StateService
from cosi.rpc.serving import serving_services
from cosi.rpc.tls import Identity, ServerTls
from cosi.state import registration
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import NAMESPACE, path, sample_registry
from tests.cosi.rpc.certificates import ED25519, Authority

ANYWHERE: Final = Address(host="127.0.0.1", port=0)

TALOS: Final = ("runtime", "Talos")

Asked = tuple[str, Sequence[tuple[str, str | bytes]]]
"""A method, and what was sent along."""


class TalosNode:
    """What a node has, whom it refuses what, and what it was asked."""

    def __init__(self) -> None:
        self.state = State(MemoryState())
        self.asked: list[Asked] = []
        self.requests: list[bytes] = []
        self.refused: dict[tuple[str, str], str] = {}
        """By node and method, the message that a call of it gets."""
        self._registry = sample_registry()

    async def fill(self) -> None:
        """Register the sample types, and make two resources."""
        await registration.announce(self.state, self._registry, {NAMESPACE: "For tests."})
        for id in ("one", "two"):
            await self.state.create(path(id))

    def services(self) -> Sequence[Service]:
        """Return what is served."""
        whole = StateService(self.state, self._registry).service
        unary = {name: self._unary(name, handler) for name, handler in whole.unary.items()}
        streams = {name: self._streaming(name, handler) for name, handler in whole.server_streaming.items()}
        machine = Service("machine.MachineService", unary={"Version": self._unary("Version", _version)})
        return [Service(whole.name, unary, streams), machine]

    def _unary(self, method: str, handler: Unary) -> Unary:
        async def noted(request: bytes, call: Call) -> Frames:
            self._note(method, request, call)
            return await handler(request, call)

        return noted

    def _streaming(self, method: str, handler: ServerStreaming) -> ServerStreaming:
        async def noted(request: bytes, call: Call) -> AsyncGenerator[Frames | Feed, None]:
            self._note(method, request, call)
            async for answer in handler(request, call):
                yield answer

        return noted

    def _note(self, method: str, request: bytes, call: Call) -> None:
        self.requests.append(request)
        self.asked.append((method, [pair for pair in call.metadata if pair[0] != "user-agent"]))
        node = str(dict(call.metadata).get("node", ""))
        if message := self.refused.get((node, method)):
            raise Refusal(Code.UNAVAILABLE, message)


class Site:
    """A node that runs, its authority, and a directory for logins."""

    def __init__(self, directory: Path, authority: Authority, node: TalosNode, port: int) -> None:
        self._directory = directory
        self._authority = authority
        self.node = node
        self.endpoint = f"127.0.0.1:{port}"

    def login(self, **changed: object) -> str:
        """Write a talosconfig with one context, in which some fields are different; return its path."""
        certificate, key = self._authority.issue("client", ED25519)
        context: Mapping[str, object] = {
            "endpoints": [self.endpoint],
            "nodes": ["a"],
            "ca": in_base64(self._authority.certificate),
            "crt": in_base64(certificate),
            "key": in_base64(key),
        } | changed
        file = self._directory / "talosconfig"
        file.write_text(yaml.safe_dump({"context": "here", "contexts": {"here": context}}))
        return str(file)


@contextmanager
def serving(directory: Path, *, in_maintenance: bool = False) -> Iterator[Site]:
    """Run a node in a thread while the body runs."""
    authority = Authority(directory / "authority", kind=ED25519)
    identity = Identity(*authority.issue("server", ED25519, "IP:127.0.0.1,DNS:localhost"))
    tls = ServerTls(identity, None if in_maintenance else authority.certificate)
    node = TalosNode()

    @asynccontextmanager
    async def running() -> AsyncIterator[Address]:
        await node.fill()
        async with serving_services(node.services(), [ANYWHERE], tls=tls) as (taken,):
            yield taken

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running()) as taken:
        yield Site(directory, authority, node, taken.port)


def in_base64(pem: bytes) -> str:
    """Return PEM as a talosconfig has it."""
    return base64.b64encode(pem).decode()


def get(*arguments: str, environment: dict[str, str | None] | None = None) -> Result:
    return CliRunner().invoke(cli, ["get", *arguments], env=environment or {})


def problems(result: Result) -> Sequence[str]:
    """Return the lines that are printed on standard error."""
    assert result.exit_code == 1
    return [line.removeprefix("Error: ").removeprefix("cosi: ") for line in result.stderr.splitlines()]


@contextmanager
def nobody() -> Iterator[str]:
    """Yield an endpoint that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    yield f"127.0.0.1:{port}"


async def _version(_: bytes, __: Call) -> Frames:
    return frame(b"")
