"""`machined run`: a node as a process, from its options to a clean exit."""

from __future__ import annotations

import itertools
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from socket import gethostname
from typing import Final

import anyio
import click
import msgspec
import structlog
from anyio.abc import TaskStatus

from cosi import logs, loops
from cosi.plugins.sources import Sources
from cosi.rpc import address
from cosi.rpc.serving import Transport
from machined.address_book import parse_hostname, parse_peer
from machined.alone import alone_in
from machined.assembly import DEFAULT_TALOS_VERSION, NodeOptions, running
from machined.door import DoorOptions
from machined.login import parse_endpoint
from machined.power import Ending, Power
from machined.pulling import policy_in
from talos.extensions.activation import Way
from talos.extensions.initramfs import InitramfsError, check
from talos.extensions.versions import parse_version

ANY_WAY: Final = "auto"
"""The best way to activate extensions that this machine allows."""

_log = structlog.get_logger(component="node")


def run(
    config: Path,
    state: Path,
    socket: str | None,
    talos_version: str | None,
    *,
    hostname: str | None,
    sources: Sources,
    initramfs: Path | None,
    activation: str,
    trust: Path | None,
    door: DoorOptions | None,
    transport: str,
    log_format: str,
    log_level: str,
) -> None:
    """Run a node until it is told to stop. Raises click.ClickException, OSError."""
    logs.configure(log_format, level=log_level)
    try:
        options = NodeOptions(
            config=config,
            state=state.absolute(),
            addresses=(address.Address(path=socket or address.default_socket()),),
            hostname=parse_hostname(hostname) if hostname is not None else gethostname(),
            transport=Transport(transport),
            talos_version=talos_version or DEFAULT_TALOS_VERSION,
            initramfs=initramfs.absolute() if initramfs is not None else None,
            ways=tuple(Way) if activation == ANY_WAY else (Way(activation),),
            trust=policy_in(trust) if trust is not None else None,
            door=door,
            sources=sources,
            on_overdue=loops.leave,
        )
        parse_version(options.talos_version)
        if options.initramfs is not None:
            check(options.initramfs)
        if not config.absolute().parent.is_dir():
            raise NotADirectoryError(f"there is no directory {config.absolute().parent} that --config could be in")
        with alone_in(options.state, what="node", option="--state"):
            loops.run(_run, options)
    except (ValueError, InitramfsError) as error:
        raise click.ClickException(str(error)) from None


def door(
    listen: str | None, endpoints: Sequence[str], peers: Sequence[str], talosconfig: Path | None, *, transport: str
) -> DoorOptions | None:
    """Return what the options say of the network door. Raises click.ClickException."""
    if listen is None:
        if endpoints or peers or talosconfig is not None:
            options = "--endpoint, --peer and --talosconfig"
            raise click.ClickException(f"{options} are for clients from the network: add --listen")
        return None
    if Transport(transport) is Transport.GRPCIO:
        problem = "grpcio accepts no Ed25519 certificates, which all logins are: leave out --transport, or --listen"
        raise click.ClickException(problem)
    try:
        reached = [parse_endpoint(each).target for each in endpoints]
        known = [parse_peer(each) for each in peers]
        return DoorOptions(parse_endpoint(listen), reached, talosconfig, known)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


async def _run(options: NodeOptions) -> None:
    # Signals are received until the very end: an impatient second Ctrl-C must not cut the shutdown short.
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        await live(options, signals)


async def live(
    options: NodeOptions,
    signals: AsyncIterator[signal.Signals],
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Run a node, and start it again as often as it reboots, until it is shut down or a signal comes.

    Each start is one of its own: nothing is left of the one before but what is in the node's directory, and its port.
    """
    for start in itertools.count():
        async with running(options) as node, anyio.create_task_group() as tasks:
            _log.info(
                "node is running",
                config=str(options.config),
                state=str(options.state),
                socket=str(options.addresses[0]),
                talos=options.talos_version,
                platform=str(options.platform),
                boot=node.boot_id,
            )
            if start == 0:
                task_status.started()
            tasks.start_soon(_stop_on_signal, signals, node.power)
            ending = await node.power.ended()
            tasks.cancel_scope.cancel()
        if ending is Ending.SHUTDOWN:
            return
        _log.info("starting again")
        if options.door is not None and node.door is not None:
            listening = msgspec.structs.replace(options.door, listen=node.door)  # logins name the port
            options = msgspec.structs.replace(options, door=listening)


async def _stop_on_signal(signals: AsyncIterator[signal.Signals], power: Power) -> None:
    async for received in signals:
        _log.info("stopping", signal=received.name)
        power.end(Ending.SHUTDOWN)
