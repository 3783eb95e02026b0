"""A remote state: its connection is made, used by many at once, and closed without a trace."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from cosi.resource.metadata import Phase, Pointer
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.remote.state import RemoteState, connected
from cosi.rpc.service import StateService
from cosi.rpc.serving import serving
from cosi.state import errors
from cosi.state.core import WatchKindOptions
from cosi.state.event import Event
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import PathResource, path, sample_registry
from tests.cosi.rpc.calling import stream, unary
from tests.cosi.rpc.operations import (
    KIND,
    POINTER,
    Operation,
    every_operation,
)
from tests.cosi.rpc.scripted_server import STREAMING, Context, Script, scripted

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0


@pytest.fixture
def where(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


def test_a_client_does_without_grpcio() -> None:
    code = "import cosi.rpc.remote.state, sys; sys.exit('grpc' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    anywhere = Address(host="127.0.0.1", port=0)

    async with serving(MemoryState(), Registry(), [anywhere]) as taken, connected(taken[0], Registry()) as remote:
        assert await remote.list(KIND) == []


async def test_plain_text_does_not_leave_the_machine() -> None:
    with pytest.raises(ValueError, match=r"will not speak plain text to 192\.0\.2\.1:50000: it is another machine"):
        async with connected(Address(host="192.0.2.1", port=50_000), Registry()):
            pass


async def test_closing_ends_calls_and_watches_of_other_tasks_with_an_error(where: Address) -> None:
    class Slow(MemoryState):
        async def get(self, pointer: Pointer) -> AnyResource:
            await anyio.sleep_forever()
            raise AssertionError

    raised: list[errors.StateError | Exception | None] = []

    async def call(remote: RemoteState) -> None:
        try:
            await remote.get(POINTER)
        except errors.StateError as error:
            raised.append(error)

    async def watch(remote: RemoteState) -> None:
        async with remote.watch_kind(KIND, WatchKindOptions(bootstrap_contents=True)) as watch:
            raised.extend([event.error async for event in watch][-1:])

    async with (
        serving(Slow(), sample_registry(), [where]),
        anyio.create_task_group() as tasks,
        connected(where, sample_registry()) as remote,
    ):
        tasks.start_soon(call, remote)
        tasks.start_soon(watch, remote)
        await anyio.wait_all_tasks_blocked()
        await remote.list(KIND)  # both have been sent before this was answered

    assert [str(error) for error in raised] == ["the connection to the state was closed on this side"] * 2
    assert all(isinstance(error, errors.Unavailable) for error in raised)


@every_operation
async def test_after_closing_every_call_says_so(where: Address, operation: Operation) -> None:
    async with connected(where, Registry()) as remote:
        pass

    with pytest.raises(errors.Unavailable, match="was closed on this side"):
        await operation(remote)


async def test_nothing_is_left_behind(where: Address) -> None:
    before = asyncio.all_tasks()
    async with serving(MemoryState(), sample_registry(), [where]), connected(where, sample_registry()) as remote:
        await remote.create(path("a"))
        async with remote.watch_kind(KIND, WatchKindOptions(bootstrap_contents=True)) as watch:
            await watch.batch()
            with anyio.move_on_after(0.01):
                await watch.batch()
        with anyio.move_on_after(0):
            await remote.get(POINTER)
    await anyio.wait_all_tasks_blocked()

    assert asyncio.all_tasks() == before


def older_server(core: MemoryState) -> Script:
    """Return a server that has the six methods which the specification began with."""
    service = StateService(core, sample_registry()).service
    lacking = {Method.TEARDOWN, Method.TEARDOWN_AND_DESTROY}

    def one_answer(method: Method) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def answer(request: bytes, _context: Context) -> bytes:
            return await unary(service, method, request)

        return answer

    def answers(method: Method) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
        async def answer(request: bytes, _context: Context) -> AsyncIterator[bytes]:
            async for message in stream(service, method, request):
                yield message

        return answer

    return {
        method: answers(method) if method in STREAMING else one_answer(method)
        for method in Method
        if method not in lacking
    }


async def test_teardown_works_with_a_server_that_lacks_it_which_is_found_out_once(where: Address) -> None:
    core = MemoryState()
    await core.create(path("a"))
    await core.create(path("b"))

    async with scripted(where, older_server(core)) as asked, connected(where, sample_registry()) as remote:
        ready = [await State(remote).teardown(PathResource.pointer_to(id)) for id in "ab"]

    assert ready == [True, True]
    assert (await core.get(POINTER)).metadata.phase is Phase.TEARING_DOWN
    assert asked == [Method.TEARDOWN, Method.GET, Method.UPDATE, Method.GET, Method.UPDATE]


async def test_teardown_and_destroy_waits_for_finalizers_with_a_server_that_lacks_it(where: Address) -> None:
    core = MemoryState()
    state = State(core)
    await state.create(path("a"))
    await state.add_finalizers(POINTER, "keeper")

    async with (
        scripted(where, older_server(core)) as asked,
        connected(where, sample_registry()) as remote,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(State(remote).teardown_and_destroy, POINTER)
        await state.watch_for(POINTER, _tearing_down)
        await state.remove_finalizers(POINTER, "keeper")

    assert await state.find(POINTER) is None
    assert asked.count(Method.TEARDOWN_AND_DESTROY) == 1


def _tearing_down(event: Event) -> bool:
    return event.resource is not None and event.resource.metadata.tearing_down
