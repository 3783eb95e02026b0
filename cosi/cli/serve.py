"""`cosi serve`: a plain runtime, no Talos in it, and whatever controllers are plugged in.

Namespaces need no registration, and any type may be stored.
"""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack

import anyio
import click
import structlog

from cosi import logs, loops
from cosi.cli.scraping import answering_scrapes
from cosi.controller.host import Host
from cosi.plugins.hosting import add_to
from cosi.plugins.sources import Sources
from cosi.resource import meta
from cosi.resource.controllers import ControllerDefinition
from cosi.resource.registry import Registry
from cosi.rpc import address
from cosi.rpc.serving import Transport, serving
from cosi.state import registration
from cosi.state.memory.state import MemoryState
from cosi.state.state import State

_log = structlog.get_logger(component="serve")


def run(
    socket: str | None,
    listen: str | None,
    *,
    sources: Sources,
    metrics: str | None,
    transport: str,
    log_format: str,
) -> None:
    """Serve until told to stop. Raises click.ClickException, OSError."""
    logs.configure(log_format)
    try:
        addresses = [address.Address(path=socket or address.default_socket())]
        if listen is not None:
            addresses.append(address.parse(listen))
        scrapes = None if metrics is None else address.parse(metrics)
        if scrapes is not None and scrapes.path:
            raise ValueError(f"metrics are read at HOST:PORT, not at {metrics}")
        loops.run(_serve, addresses, sources, scrapes, Transport(transport))
    except ValueError as error:
        raise click.ClickException(str(error)) from None


async def _serve(
    addresses: list[address.Address], sources: Sources, scrapes: address.Address | None, transport: Transport
) -> None:
    state = State(MemoryState())
    registry = Registry((meta.Namespace, meta.ResourceDefinition, ControllerDefinition))
    await registration.announce(state, registry, {meta.NAMESPACE: "What describes all other resources."})
    host = Host(state, registry, on_overdue=loops.leave)
    await add_to(host, sources.load())
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with AsyncExitStack() as stack:
            if scrapes is not None:
                answering = await stack.enter_async_context(answering_scrapes(scrapes, host.metrics))
                _log.info("metrics", address=str(answering))
            served = serving(state, registry, addresses, host=host, transport=transport)
            taken = await stack.enter_async_context(served)
            tasks = await stack.enter_async_context(anyio.create_task_group())
            await tasks.start(host.run)
            for each in taken:
                _log.info("serving", address=str(each))
            async for received in signals:
                _log.info("stopping", signal=received.name)
                break
            tasks.cancel_scope.cancel()
