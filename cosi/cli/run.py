"""`cosi run`: controllers in a process of their own, on the state of a server.

They are members of the server's roster for as long as they run, and tell its journal what they have written and why.
When the server goes away they stop, and start anew when it is back: what they know was about the state that is gone.
"""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Sequence
from typing import Final

import anyio
import click
import structlog

from cosi import logs, loops
from cosi.backoff import Backoff
from cosi.controller.engine.engine import Engine
from cosi.controller.roster import definition_of
from cosi.journal.journal import Journal
from cosi.journal.records import Reconcile, Write
from cosi.plugins.loading import Failure, Loaded, load_reference
from cosi.resource import meta
from cosi.resource.controllers import ControllerDefinition
from cosi.resource.metadata import Metadata
from cosi.resource.registry import Registry
from cosi.rpc import address
from cosi.rpc.remote.calls import Calls
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.remote.runtime import joined, report
from cosi.rpc.remote.state import RemoteState
from cosi.state import errors
from cosi.state.registration import announce_type
from cosi.state.state import State
from cosi.state.wakeups import Wakeups

MAX_UNREPORTED: Final = 4096
"""How many writes wait to be reported; the oldest are forgotten first."""

REPORTED_AT_ONCE: Final = 256

_log = structlog.get_logger(component="run")


def run(references: Sequence[str], server: str | None, *, cached: bool, log_format: str) -> None:
    """Run controllers until told to stop. Raises click.ClickException."""
    logs.configure(log_format)
    try:
        where = address.parse(server) if server else address.Address(path=address.default_socket())
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    _load(references)  # what can't be loaded is said before anything else
    loops.run(_run, references, where, cached)


async def _run(references: Sequence[str], where: address.Address, cached: bool) -> None:
    refusal: errors.Conflict | None = None
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as tasks:

            async def work() -> None:
                nonlocal refusal
                refusal = await _work(references, where, cached)
                tasks.cancel_scope.cancel()

            tasks.start_soon(work)
            async for received in signals:
                _log.info("stopping", signal=received.name)
                break
            tasks.cancel_scope.cancel()
    if refusal is not None:
        raise click.ClickException(str(refusal))


async def _work(references: Sequence[str], where: address.Address, cached: bool) -> errors.Conflict:
    """Be a member of the server, again and again while it comes back; return why it refuses."""
    backoff = Backoff()
    while True:
        try:
            await _membership(_load(references), where, cached, backoff)
        except errors.Conflict as refusal:
            return refusal
        except errors.StateError as error:
            delay = backoff.next()
            _log.warning("no server", address=str(where), error=str(error), retry_in=round(delay, 3))
            await anyio.sleep(delay)


async def _membership(loaded: Sequence[Loaded], where: address.Address, cached: bool, backoff: Backoff) -> None:
    """Run controllers until the server ends their membership, which raises a StateError."""
    registry = Registry((meta.Namespace, meta.ResourceDefinition, ControllerDefinition))
    controllers = [controller for plugin in loaded for controller in plugin.controllers]
    async with open_channel(where, None) as channel:
        calls = Calls(channel)
        core = RemoteState(calls, registry)
        for resource_class in {resource: None for plugin in loaded for resource in plugin.resources}:
            registry.add(resource_class)
            try:
                await announce_type(State(core), resource_class)
            except errors.AlreadyExists:
                continue
        members = [definition_of(controller, f"process {os.getpid()}") for controller in controllers]
        async with joined(calls, members) as membership:
            backoff.reset()
            _log.info("joined", address=str(where), controllers=[member.id for member in members])
            journal = _ReportingJournal(calls)
            kinds = {wanted.kind for controller in controllers for wanted in controller.inputs}
            engine = Engine(core, cached=kinds if cached else (), journal=journal, on_overdue=loops.leave)
            for controller in controllers:
                engine.register(controller)
            failure: errors.StateError | None = None
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(engine.run)
                tasks.start_soon(journal.run)
                try:
                    await membership.ended()
                except errors.StateError as error:
                    failure = error  # raised outside the task group, which would wrap it
                tasks.cancel_scope.cancel()
            if failure is not None:
                raise failure


class _ReportingJournal(Journal):
    """A journal that hands everything on to the server's."""

    __slots__ = ("_calls", "_pending", "_wakeups")

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls
        self._pending: deque[Write] = deque(maxlen=MAX_UNREPORTED)
        self._wakeups = Wakeups()

    def record(self, written: Metadata, reconcile: Reconcile) -> None:
        """Remember a write, and have it reported."""
        super().record(written, reconcile)
        self._pending.append(Write(written, reconcile))
        self._wakeups.wake_all()

    async def run(self) -> None:
        """Report until cancelled. A report that is lost is an explanation that ends early, and nothing worse."""
        while True:
            while not self._pending:
                await self._wakeups.wait()
            writes = [self._pending.popleft() for _ in range(min(len(self._pending), REPORTED_AT_ONCE))]
            try:
                await report(self._calls, writes)
            except errors.StateError as error:
                _log.debug("report lost", error=str(error))


def _load(references: Sequence[str]) -> Sequence[Loaded]:
    plugins = [load_reference(reference) for reference in references]
    for plugin in plugins:
        if isinstance(plugin, Failure):
            raise click.ClickException(f"{plugin.origin}: {plugin.problem}")
    return [plugin for plugin in plugins if isinstance(plugin, Loaded)]
