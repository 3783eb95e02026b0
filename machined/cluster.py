"""`machined cluster up`: nodes on loopback addresses, each a process of its own, with one authority and one login.

    DIR/pki               the authority; each node's state has a link to it, so a rotation is one for all of them
    DIR/talosconfig       an administrator's login to all of them, new with every start
    DIR/node-N/           what node-N keeps: machine.yaml unless told another, state, cosi.sock, log

They stop when the command does. One that ends by itself is said, and the others go on.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import anyio
import click
from anyio.abc import Process, TaskGroup

from cosi import loops
from cosi.rpc.address import Address
from cosi.rpc.remote.call import CallEnded, RemoteCall
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.tls import ClientTls, Identity
from cosi.state import errors
from machined.address_book import Peer
from machined.alone import alone_in
from machined.login import now, write_login
from talos.access.authorities import Authorities
from talos.access.certificates import SERVER_LIFETIME
from talos.access.roles import Role

START_SECONDS: Final = 60.0
"""How long nodes may take to open their doors: Python's imports, several at once on a slow machine."""

STOP_SECONDS: Final = 20.0
"""How long they may take to stop before they are killed; controllers have 10 s of it."""

POLL_SECONDS: Final = 0.1
SHOWN_BYTES: Final = 4096
"""Where the last line of a log is looked for."""

EMPTY_CONFIG: Final = "version: v1alpha1\n"


class Node(NamedTuple):
    """One of the nodes: its name and address, and its directory."""

    peer: Peer
    directory: Path

    @property
    def log(self) -> Path:
        """What it says."""
        return self.directory / "log"

    @property
    def config(self) -> Path:
        """The machine config that is its own."""
        return self.directory / "machine.yaml"

    def prepare(self) -> None:
        """Make its directory, if it is the first time. Raises OSError if it outlived a cluster that was killed."""
        state = self.directory / "state"
        with alone_in(state, what="node", option="--directory"):
            if not self.config.exists():
                self.config.write_text(EMPTY_CONFIG)
            if not (state / "pki").is_symlink():
                (state / "pki").symlink_to(Path("../../pki"))  # relative: the whole may be moved

    def command(self, others: Sequence[Peer], config: Path | None) -> Sequence[str]:
        """Return what runs it."""
        run = {
            "--config": config or self.config,
            "--state": self.directory / "state",
            "--socket": self.directory / "cosi.sock",
            "--hostname": self.peer.name,
            "--listen": self.peer.address,
        }
        options = [str(word) for option in run.items() for word in option]
        peers = [word for peer in others for word in ("--peer", f"{peer.name}={peer.address}")]
        return [sys.executable, "-P", "-m", "machined", "run", *options, *peers]


def up(directory: Path, count: int, *, port: int, config: Path | None) -> None:
    """Run a cluster until it is told to stop. Raises click.ClickException, OSError."""
    directory = directory.absolute()
    peers = [Peer(f"node-{number}", Address(host=f"127.0.0.{number}", port=port)) for number in range(1, count + 1)]
    nodes = [Node(peer, directory / peer.name) for peer in peers]
    try:
        with alone_in(directory, what="cluster", option="--directory"):
            authorities = Authorities(directory / "pki")
            authorities.ensure(now())
            # After a rotation the last login is that of a stranger, and may be kept: it does no harm.
            write_login(authorities, directory / "talosconfig", [str(peer.address) for peer in peers], merge=True)
            for node in nodes:
                node.prepare()
            loops.run(_run, Cluster(directory, nodes, config.absolute() if config else None), authorities)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


async def _run(cluster: Cluster, authorities: Authorities) -> None:
    # Signals are received until the very end: an impatient second Ctrl-C must not leave nodes behind, and neither must
    # a terminal that is closed.
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with anyio.create_task_group() as cluster.tasks:
            for node in cluster.nodes:
                cluster.tasks.start_soon(cluster.run, node)
            cluster.tasks.start_soon(cluster.announce, _login(authorities))
            async for _ in signals:
                cluster.tasks.cancel_scope.cancel()
    if cluster.problem:
        raise click.ClickException(cluster.problem)


class Cluster:
    """The nodes as processes. `tasks` are theirs, and `problem` says why they were all stopped, if it was no wish."""

    tasks: TaskGroup

    def __init__(self, directory: Path, nodes: Sequence[Node], config: Path | None) -> None:
        self.nodes = nodes
        self.problem = ""
        self._directory = directory
        self._config = config
        self._running = len(nodes)
        self._is_up = False

    async def run(self, node: Node) -> None:
        """Run a node until it ends, or is told to."""
        others = [other.peer for other in self.nodes if other is not node]
        descriptor = os.open(node.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            process = await anyio.open_process(
                node.command(others, self._config),
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                start_new_session=True,  # so that a Ctrl-C is ours alone to pass on
            )
        finally:
            os.close(descriptor)
        try:
            await process.wait()
            self._ended(node, process.returncode)
        finally:
            with anyio.CancelScope(shield=True):
                await _stop(process)

    async def announce(self, tls: ClientTls) -> None:
        """Say when all nodes have opened their doors, and what to do with them."""
        with anyio.move_on_after(START_SECONDS) as patience:
            for node in self.nodes:
                await _opened(node, tls)
        if patience.cancelled_caught:
            self._stop_all(f"not all nodes have opened their doors within {START_SECONDS:g} s: see their logs")
            return
        self._is_up = True
        sys.stdout.write(_welcome(self._directory, self.nodes))
        sys.stdout.flush()

    def _ended(self, node: Node, code: int | None) -> None:
        self._running -= 1
        message = f"{node.peer.name} has ended with exit code {code} ({_last_line(node.log)}): see {node.log}"
        if not self._is_up:
            self._stop_all(message)
        elif self._running:
            sys.stderr.write(f"machined: {message}; the others go on\n")
        else:
            self._stop_all(f"{message}; it was the last one")

    def _stop_all(self, problem: str) -> None:
        self.problem = self.problem or problem
        self.tasks.cancel_scope.cancel()


async def _opened(node: Node, tls: ClientTls) -> None:
    """Wait until a node answers a call at its door."""
    while True:
        # A channel for each try: one that has failed before waits longer and longer.
        async with open_channel(node.peer.address, tls) as channel:
            with suppress(errors.Unavailable, CallEnded):
                await RemoteCall(channel, "/machine.MachineService/Version", b"").read()
                return
        await anyio.sleep(POLL_SECONDS)


async def _stop(process: Process) -> None:
    """Have a process end well, or kill it."""
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(STOP_SECONDS):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    await process.aclose()


def _login(authorities: Authorities) -> ClientTls:
    pair = authorities.newest.for_client([Role.READER], now(), lifetime=SERVER_LIFETIME)
    return ClientTls(authorities.accepted, Identity(*pair))


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - SHOWN_BYTES))
        lines = file.read(SHOWN_BYTES).decode(errors="replace").splitlines()
    return lines[-1] if lines else "it has said nothing"


def _welcome(directory: Path, nodes: Sequence[Node]) -> str:
    shown = "".join(f"    {node.peer.name}   {node.peer.address}   {node.directory}\n" for node in nodes)
    return f"""{len(nodes)} nodes are up; Ctrl-C stops them.
{shown}
    export TALOSCONFIG={shlex.quote(str(directory / "talosconfig"))}
    cosi get members                         # or talosctl get members: each node's own answer, whichever is asked
    cosi get extensions --nodes {nodes[-1].peer.name}
"""
