"""A server for clients on any event loop: it runs on asyncio, in another thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.serving import serving
from cosi.rpc.tls import ServerTls
from cosi.state.core import CoreState

ReturnedT = TypeVar("ReturnedT")


class Elsewhere:
    """An event loop in a thread of its own, and the states that are served there."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    async def do(self, function: Callable[..., Awaitable[ReturnedT]], *args: object) -> ReturnedT:
        """Call a function there, and return what it returns: a state there is touched by nobody else."""
        under_way = self._portal.start_task_soon(partial(function, *args))
        try:
            return await to_thread.run_sync(under_way.result, abandon_on_cancel=True)
        finally:
            under_way.cancel()

    @asynccontextmanager
    async def serving(
        self, core: CoreState, registry: Registry, *addresses: Address, tls: ServerTls | None = None
    ) -> AsyncIterator[Sequence[Address]]:
        """Serve while the body runs; yields the addresses that were taken."""
        served = self._portal.wrap_async_context_manager(serving(core, registry, addresses, tls=tls))
        taken = await to_thread.run_sync(served.__enter__)
        try:
            yield taken
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(served.__exit__, None, None, None)


@contextmanager
def another_thread() -> Iterator[Elsewhere]:
    """Run an event loop of asyncio beside the body."""
    with start_blocking_portal("asyncio") as portal:
        yield Elsewhere(portal)
