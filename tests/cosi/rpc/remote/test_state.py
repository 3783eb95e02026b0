"""A remote state on asyncio and on trio, with real servers: it outlives their restarts, and leaves when told to."""

from __future__ import annotations

import subprocess
import sys
import threading

import anyio
import pytest
from anyio import to_thread

from cosi.resource.metadata import Pointer
from cosi.resource.resource import AnyResource
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state.core import Watch, WatchKindOptions
from cosi.state.event import Event
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathResource, path, sample_registry
from tests.cosi.rpc.remote.asking import ask
from tests.cosi.rpc.remote.elsewhere import Elsewhere

PATIENCE_SECONDS = 20.0
DEADLINE_SECONDS = 0.05
KIND = PathResource.kind()
POINTER = PathResource.pointer_to("a")
BOOTSTRAP = WatchKindOptions(bootstrap_contents=True)


ON_ASYNCIO = """
import asyncio, sys
from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state import errors
from cosi.testing.resources import PathResource

async def ask():
    async with connected(Address(path="/nowhere/cosi.sock"), Registry()) as remote:
        await remote.list(PathResource.kind())

try:
    asyncio.run(ask())
except errors.Unavailable:
    sys.exit("trio" in sys.modules)
sys.exit("somebody answered")
"""


class Slow(MemoryState):
    """Never has an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.given_up = threading.Event(), threading.Event()

    async def get(self, pointer: Pointer) -> AnyResource:
        self.asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.given_up.set()
        raise AssertionError


def test_a_client_on_asyncio_does_without_trio() -> None:
    subprocess.run([sys.executable, "-c", ON_ASYNCIO], check=True)


async def take(watch: Watch, count: int) -> list[str]:
    """Return the ids that the next events are about, so many; fewer if the watch ends."""
    events: list[Event] = []
    with anyio.fail_after(PATIENCE_SECONDS):
        while len(events) < count and (batch := await watch.batch()):
            events.extend(batch)
    return [event.resource.metadata.id for event in events if event.resource is not None]


@pytest.mark.anyio
async def test_a_watch_outlives_its_server_and_tells_what_happened_meanwhile(
    where: Address, elsewhere: Elsewhere
) -> None:
    core, registry = MemoryState(), sample_registry()
    await elsewhere.do(core.create, path("before"))

    async with connected(where, registry) as remote:
        async with elsewhere.serving(core, registry, where):
            watching = remote.watch_kind(KIND, BOOTSTRAP)
            watch = await watching.__aenter__()
            contents = await take(watch, 2)
        await elsewhere.do(core.create, path("meanwhile"))
        async with elsewhere.serving(core, registry, where):
            first = await take(watch, 1)
            await remote.create(path("after"))
            second = await take(watch, 1)
        await watching.__aexit__(None, None, None)

    assert contents == ["before", ""]
    assert first + second == ["meanwhile", "after"]


@pytest.mark.anyio
async def test_a_call_that_is_cancelled_is_given_up_on_both_sides(where: Address, elsewhere: Elsewhere) -> None:
    core, registry = Slow(), sample_registry()

    async with elsewhere.serving(core, registry, where), connected(where, registry) as remote:
        asking = ask(remote.get(POINTER))
        assert await to_thread.run_sync(core.asked.wait, PATIENCE_SECONDS)
        asking.cancel()
        assert await to_thread.run_sync(core.given_up.wait, PATIENCE_SECONDS)
        await remote.create(path("b"))

    assert asking.cancelled


@pytest.mark.anyio
async def test_a_deadline_is_a_timeout_for_the_caller(where: Address, elsewhere: Elsewhere) -> None:
    core, registry = Slow(), sample_registry()

    async with elsewhere.serving(core, registry, where), connected(where, registry) as remote:
        with pytest.raises(TimeoutError):
            with anyio.fail_after(DEADLINE_SECONDS):
                await remote.get(POINTER)
        assert await to_thread.run_sync(core.given_up.wait, PATIENCE_SECONDS)
