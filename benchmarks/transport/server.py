"""A server in a process of its own, and a meter in it that says what it has used.

Its process serves an empty state, 10,000 resources to list, and `bench.Meter`, on a unix socket and on TCP; the native
one also on TCP with TLS. It says where in its first line of output, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from struct import Struct
from time import process_time
from typing import Final

import msgspec

from benchmarks.transport.wire import Wire
from cosi.resource.metadata import Metadata
from cosi.resource.registry import Registry
from cosi.resource.resource import OpaqueSpec, Resource
from cosi.rpc.address import LOCALHOST_ADDRESSES, Address
from cosi.rpc.seam import Call, Frames, Service, frame
from cosi.rpc.service import StateService
from cosi.rpc.serving import Transport, serving_services
from cosi.rpc.tls import ClientTls, Identity, ServerTls, read_pem
from cosi.state.memory.state import MemoryState

LISTED: Final = 10_000
NAMESPACE: Final = "bench"
LISTED_TYPE: Final = "Listeds.bench.cosi.dev"
PROTO_SPEC: Final = b"\x0a\x01x"
YAML_SPEC: Final = "a: x\n"

_FIGURE: Final = Struct(">d")


class Column(StrEnum):
    """A transport, on one of the event loops it can run on."""

    NATIVE = "native"
    UVLOOP = "native on uvloop"
    GRPCIO = "grpcio"

    @property
    def transport(self) -> Transport:
        """What serves."""
        return Transport.GRPCIO if self is Column.GRPCIO else Transport.NATIVE


class Addresses(msgspec.Struct):
    """Where a server listens; `encrypted` if it speaks TLS somewhere."""

    unix: str
    port: int
    encrypted_port: int | None = None


class Server(msgspec.Struct, frozen=True):
    """A running server as a client knows it.

    `unix` chooses the socket that `connect` takes; with `deadlines` all of its calls have one.
    """

    addresses: Addresses
    certificate: bytes
    unix: bool
    deadlines: bool

    @property
    def address(self) -> Address:
        """Where to connect for plain text."""
        return Address(path=self.addresses.unix) if self.unix else _tcp(self.addresses.port)

    def connect(self, *, deadlines: bool = False) -> Wire:
        """Open a connection; see `Wire`."""
        return Wire(self.address, deadlines=deadlines or self.deadlines)

    def connect_encrypted(self) -> Wire:
        """Open a connection with TLS, over TCP."""
        assert self.addresses.encrypted_port is not None
        return Wire(_tcp(self.addresses.encrypted_port), ClientTls(self.certificate), deadlines=self.deadlines)


def cpu_seconds(wire: Wire) -> float:
    """Ask a server for the CPU time it has used, all of its threads together."""
    return _figure(wire, "Cpu")


def memory_bytes(wire: Wire) -> float:
    """Ask a server for the memory it occupies, after its garbage has been collected."""
    return _figure(wire, "Memory")


@contextmanager
def started(column: Column, directory: Path, *, unix: bool, deadlines: bool) -> Iterator[Server]:
    """Run a server while the body runs, on a socket in a directory where `make_certificate` has been before."""
    socket = directory / f"{column.name.lower()}.sock"
    command = [sys.executable, "-m", "benchmarks.transport", "serve", column.value, str(socket)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"the server on {column} did not start")
        certificate = read_pem(directory / "server.pem")
        yield Server(msgspec.json.decode(line, type=Addresses), certificate, unix, deadlines)


def make_certificate(directory: Path) -> None:
    """Make a key and a certificate that signs itself, Ed25519 as Talos has them."""
    files = ["-keyout", f"{directory}/server.key", "-out", f"{directory}/server.pem"]
    names = ["-subj", "/CN=bench", "-addext", f"subjectAltName=IP:{LOCALHOST_ADDRESSES[0]}"]
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-noenc", "-days", "2", *names, *files]
    subprocess.run(command, check=True, capture_output=True)


def run(column: Column, socket: Path) -> None:
    """Be the server."""
    if column is Column.UVLOOP:
        import uvloop

        uvloop.run(_serve(column, socket))
    else:
        asyncio.run(_serve(column, socket))


async def _serve(column: Column, socket: Path) -> None:
    state = MemoryState()
    for index in range(LISTED):
        metadata = Metadata(NAMESPACE, LISTED_TYPE, f"l{index:05d}")
        await state.create(Resource(metadata, OpaqueSpec(PROTO_SPEC, YAML_SPEC)))
    services = (StateService(state, Registry()).service, Service("bench.Meter", {"Cpu": _cpu, "Memory": _memory}))
    plain = [Address(path=str(socket)), _tcp(0)]
    async with AsyncExitStack() as stack:
        serving = serving_services(services, plain, transport=column.transport)
        unix, tcp = await stack.enter_async_context(serving)
        addresses = Addresses(unix.path, tcp.port)
        if column.transport is Transport.NATIVE:
            pem, key = (read_pem(socket.parent / f"server.{suffix}") for suffix in ("pem", "key"))
            tls = ServerTls(Identity(pem, key), None)
            serving = serving_services(services, [_tcp(0)], tls=tls, transport=column.transport)
            (encrypted,) = await stack.enter_async_context(serving)
            addresses.encrypted_port = encrypted.port
        print(msgspec.json.encode(addresses).decode(), flush=True)
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
        await ended.wait()


async def _cpu(_: bytes, __: Call) -> Frames:
    return frame(_FIGURE.pack(process_time()))


async def _memory(_: bytes, __: Call) -> Frames:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240 - it is in memory
    return frame(_FIGURE.pack(pages * os.sysconf("SC_PAGE_SIZE")))


def _figure(wire: Wire, name: str) -> float:
    (figure,) = _FIGURE.unpack(wire.call(f"/bench.Meter/{name}", b""))
    return float(figure)


def _tcp(port: int) -> Address:
    return Address(host=LOCALHOST_ADDRESSES[0], port=port)
