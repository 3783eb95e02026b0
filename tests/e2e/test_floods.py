"""Whoever floods the door, with connections or with nonsense, the node serves those who have a login."""

import os
import random
import resource
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import anyio
import psutil
import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2 import frames
from resources.config_status import ID, ConfigStatus
from tests.e2e.conftest import wait_for
from tests.e2e.programs import Node, machined_run
from tests.scenarios.door import Login, administrator
from tests.talosctl.talosctl import talosctl

HALF_OPEN = 10_000
NONSENSE = 1_000
AT_ONCE = 40
"""How many connections an attacker opens side by side."""
FILES_NEEDED = HALF_OPEN + 1_000
LOGINS_AFTERWARDS = 10
MOST_BYTES = 400 << 20
"""What a node may hold by then; it begins with some 100 MiB."""
ATTACKER = random.Random(7)

Attack = Callable[[Login, list[socket.socket]], Awaitable[None]]

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def enough_files() -> Iterator[None]:
    """Let this process have as many connections as the promise speaks of."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(FILES_NEEDED, before[0]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def held() -> Iterator[list[socket.socket]]:
    """Connections that an attacker keeps open."""
    sockets: list[socket.socket] = []
    yield sockets
    for one in sockets:
        one.close()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    config = tmp_path / "machine.yaml"
    config.write_text("version: v1alpha1\n")
    options = ("--listen", "127.0.0.1:0", "--talosconfig", str(tmp_path / "talosconfig"))
    with machined_run(tmp_path, config, *options) as running:
        wait_for(running, ConfigStatus, ID)
        yield running


async def silent(login: Login, held: list[socket.socket]) -> None:
    """Connect, and say nothing."""
    await connect_and_say(login.address, b"", held)


async def half_greeted(login: Login, held: list[socket.socket]) -> None:
    """Begin a TLS handshake, and leave it at that."""
    await connect_and_say(login.address, client_hello(), held)


@cache
def client_hello() -> bytes:
    context, outgoing = ssl.create_default_context(), ssl.MemoryBIO()
    context.set_alpn_protocols(["h2"])
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="127.0.0.1").do_handshake()
    return outgoing.read()


async def connect_and_say(address: Address, words: bytes, held: list[socket.socket]) -> None:
    one = socket.socket()
    held.append(one)
    one.setblocking(False)
    with suppress(BlockingIOError):
        one.connect((address.host, address.port))
    await anyio.wait_writable(one)
    with suppress(OSError):
        one.send(words)


async def plain_nonsense(login: Login, _: list[socket.socket]) -> None:
    """Say anything but TLS."""
    with suppress(anyio.BrokenResourceError, OSError):
        async with await anyio.connect_tcp(login.address.host, login.address.port) as stream:
            await stream.send(ATTACKER.randbytes(1_000))


async def malformed_frames(login: Login, _: list[socket.socket]) -> None:
    """Log in, and break HTTP/2 in one of many ways."""
    kind, flags, stream_id = ATTACKER.randrange(12), ATTACKER.randrange(256), ATTACKER.randrange(1 << 31)
    payload = ATTACKER.randbytes(ATTACKER.randrange(200))
    frame = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream_id.to_bytes(4, "big") + payload
    with suppress(anyio.BrokenResourceError, anyio.EndOfStream, OSError):
        where = login.address
        async with await anyio.connect_tcp(
            where.host, where.port, ssl_context=login.context, tls_hostname=where.host, tls_standard_compatible=False
        ) as stream:
            await stream.send(frames.PREFACE + frames.Settings().serialize() + frame * 20)
            with anyio.move_on_after(1):
                await stream.receive()


ATTACKS = [(silent, HALF_OPEN), (half_greeted, HALF_OPEN), (plain_nonsense, NONSENSE), (malformed_frames, NONSENSE)]


@pytest.mark.parametrize(("attack", "times"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
async def test_a_flood_keeps_nobody_from_logging_in(
    node: Node, tmp_path: Path, held: list[socket.socket], attack: Attack, times: int
) -> None:
    login = administrator(tmp_path)
    left, over = iter(range(times)), anyio.Event()
    served = 0

    async def attacker() -> None:
        for _ in left:
            await attack(login, held)

    async def flood() -> None:
        async with anyio.create_task_group() as attackers:
            for _ in range(AT_ONCE):
                attackers.start_soon(attacker)
        over.set()

    async with talosctl(login.address, login.context) as logged_in, anyio.create_task_group() as tasks:
        await logged_in.version()
        tasks.start_soon(flood)
        after = 0
        while after < LOGINS_AFTERWARDS:
            async with login.talosctl() as newcomer:
                await newcomer.version()
            await logged_in.version()
            served += 1
            after += over.is_set()

    assert served > LOGINS_AFTERWARDS
    assert psutil.Process(node.process.pid).memory_info().rss < MOST_BYTES
    assert "Traceback" not in node.log
    assert os.path.exists(node.socket)
