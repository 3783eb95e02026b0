"""What a client on grpc.aio gets of the State service, beside an empty echo on grpc.aio: `python -m benchmarks.rpc`.

The server is a process of its own, and serves the state on each transport; the client sends and receives bytes it does
not look into. Prints JSON: calls a second with 1 and 16 callers and the ratio to the echo's, lists of 10,000 resources,
and events delivered a second to 100 watchers, batched as the service sends them and one message an event as the
baseline, while a writer in the server's process makes bursts of updates.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource.metadata import Kind, Metadata
from cosi.resource.registry import Registry
from cosi.resource.resource import OpaqueSpec, Resource
from cosi.rpc import codec, service
from cosi.rpc.address import Address
from cosi.rpc.serving import Transport, serving
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathResource

ROUNDS = 3
CALLS = 2_000
LISTED = 10_000
WATCHERS = 100
EVENTS = 500
BURST = 50
TYPE = "Smalls.bench.cosi.dev"
NAMESPACE = "bench"
START_SECONDS = 0.05
CALLERS = (1, 16)
METHODS = ("get", "create", "update")
GET = state_pb2.GetRequest(namespace="default", type=PathResource.definition.type, id="p00005").SerializeToString()

Call = Callable[[bytes], Awaitable[bytes]]


def small(id: str, *, version: str = "undefined") -> resource_pb2.Resource:
    metadata = resource_pb2.Metadata(namespace=NAMESPACE, type=TYPE, id=id, version=version, phase="running")
    return resource_pb2.Resource(metadata=metadata, spec=resource_pb2.Spec(proto_spec=b"\x0a\x01x", yaml_spec="a: x\n"))


class Baselines(grpc.GenericRpcHandler):
    """An echo, and a watch that sends each event in a message of its own."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    def service(self, details: Any) -> Any:
        if details.method == "/bench.Baselines/Echo":
            return grpc.unary_unary_rpc_method_handler(self._echo)
        if details.method == "/bench.Baselines/Burst":
            return grpc.unary_unary_rpc_method_handler(self._burst)
        if details.method == "/bench.Baselines/Watch":
            return grpc.unary_stream_rpc_method_handler(self._watch)
        return None

    async def _echo(self, request: bytes, _: Any) -> bytes:
        return request

    async def _burst(self, request: bytes, _: Any) -> bytes:
        resource = await self._state.create(_bare(NAMESPACE, TYPE, request.decode()))
        for index in range(EVENTS - 1):
            resource = await self._state.update(resource)
            if index % BURST == 0:
                await asyncio.sleep(0)
        return b""

    async def _watch(self, request: bytes, _: Any) -> Any:
        async with self._state.watch_kind(Kind(NAMESPACE, TYPE)) as watch:
            yield b""
            async for event in watch:
                yield codec.event_entry(event)


def _bare(namespace: str, type: str, id: str) -> Resource[OpaqueSpec]:
    return Resource(Metadata(namespace, type, id), OpaqueSpec(b"\x0a\x01x", "a: x\n"))


async def serve(directory: Path) -> None:
    state = MemoryState()
    for index in range(LISTED):
        await state.create(_bare(*PathResource.kind(), f"p{index:05d}"))
    baselines = grpc.aio.server()
    baselines.add_generic_rpc_handlers((Baselines(state),))
    baselines.add_insecure_port(f"unix:{directory}/baselines.sock")
    await baselines.start()
    async with AsyncExitStack() as stack:
        for transport in Transport:
            address = Address(path=f"{directory}/{transport}.sock")
            await stack.enter_async_context(serving(state, Registry(), [address], transport=transport))
        (directory / "ready").touch()
        await asyncio.Event().wait()


@contextmanager
def server() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.rpc", "serve", name])
        try:
            while not (Path(name) / "ready").exists():
                time.sleep(START_SECONDS)
            yield Path(name)
        finally:
            process.terminate()
            process.wait()


async def rate(requests: list[list[bytes]], call: Call) -> float:
    """Calls a second that all callers make together, each its own requests one after the other."""

    async def run(mine: list[bytes]) -> None:
        for request in mine:
            await call(request)

    begun = time.perf_counter()
    await asyncio.gather(*(run(mine) for mine in requests))
    return sum(map(len, requests)) / (time.perf_counter() - begun)


async def measure(directory: Path) -> dict[str, Any]:
    taken: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        taken.setdefault(name, []).append(value)

    async with AsyncExitStack() as stack:
        baseline, *others = [
            await stack.enter_async_context(grpc.aio.insecure_channel(f"unix:{directory}/{name}.sock"))
            for name in ("baselines", *Transport)
        ]
        channels = dict(zip(Transport, others, strict=True))
        echo: Any = baseline.unary_unary("/bench.Baselines/Echo")
        burst: Any = baseline.unary_unary("/bench.Baselines/Burst")
        for serial in range(ROUNDS):
            for callers in CALLERS:
                note(f"echo, {callers}", await rate([[GET] * (CALLS // callers)] * callers, echo))
                for transport, channel in channels.items():
                    rates = await unary(channel, callers, f"{serial}-{transport}-{callers}")
                    for name, value in rates.items():
                        note(f"{name}, {callers}, {transport}", value)
            for transport, channel in channels.items():
                note(f"list of 10,000, {transport}", await lists(channel))
                id, method = f"w{serial}-{transport}", f"/{service.NAME}/Watch"
                note(f"events to {WATCHERS} watchers, {transport}", await deliveries(channel, burst, method, id))
            id, method = f"w{serial}-single", "/bench.Baselines/Watch"
            note(f"events to {WATCHERS} watchers, one a message", await deliveries(baseline, burst, method, id))
    return report({name: statistics.median(values) for name, values in taken.items()})


def report(rates: dict[str, float]) -> dict[str, Any]:
    single = rates[f"events to {WATCHERS} watchers, one a message"]
    return {
        "per second": {name: round(value, 1) for name, value in rates.items()},
        "ratio to echo": {
            f"{name}, {callers}, {transport}": round(
                rates[f"{name}, {callers}, {transport}"] / rates[f"echo, {callers}"], 2
            )
            for name in METHODS
            for callers in CALLERS
            for transport in Transport
        },
        "batching": {
            transport: round(rates[f"events to {WATCHERS} watchers, {transport}"] / single, 1)
            for transport in Transport
        },
    }


async def unary(channel: Any, callers: int, serial: str) -> dict[str, float]:
    """Calls a second by method."""
    calls = {name: channel.unary_unary(f"/{service.NAME}/{name.capitalize()}") for name in METHODS}
    creates, updates = await _writes(calls["create"], callers, serial)
    requests = {"get": [[GET] * (CALLS // callers)] * callers, "create": creates, "update": updates}
    return {name: await rate(requests[name], call) for name, call in calls.items()}


async def _writes(create: Any, callers: int, serial: str) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """Return creations and updates for each caller, made beforehand; what is updated exists."""
    creates, updates = [], []
    for caller in range(callers):
        id, each = f"u{serial}-{caller}", range(CALLS // callers)
        await create(state_pb2.CreateRequest(resource=small(id)).SerializeToString())
        creates.append(
            [state_pb2.CreateRequest(resource=small(f"c{serial}-{caller}-{n}")).SerializeToString() for n in each]
        )
        updates.append(
            [state_pb2.UpdateRequest(new_resource=small(id, version=str(n + 1))).SerializeToString() for n in each]
        )
    return creates, updates


async def lists(channel: Any) -> float:
    request = state_pb2.ListRequest(namespace="default", type=PathResource.definition.type).SerializeToString()
    begun = time.perf_counter()
    count = 0
    async for _ in channel.unary_stream(f"/{service.NAME}/List")(request):
        count += 1
    assert count == LISTED
    return 1 / (time.perf_counter() - begun)


async def deliveries(channel: Any, burst: Any, method: str, id: str) -> float:
    """Events delivered a second to all watchers together."""
    options = state_pb2.WatchOptions(aggregated=True)
    request = state_pb2.WatchRequest(namespace=NAMESPACE, type=TYPE, options=options, api_version=1).SerializeToString()
    calls = [channel.unary_stream(method)(request) for _ in range(WATCHERS)]
    for call in calls:
        await call.read()

    async def read(call: Any) -> None:
        seen = 0
        while seen < EVENTS:
            seen += len(state_pb2.WatchResponse.FromString(await call.read()).event)
        call.cancel()

    begun = time.perf_counter()
    await asyncio.gather(*(read(call) for call in calls), burst(id.encode()))
    return WATCHERS * EVENTS / (time.perf_counter() - begun)


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(serve(Path(sys.argv[2])))
        return
    with server() as directory:
        print(json.dumps(asyncio.run(measure(directory)), indent=4))


if __name__ == "__main__":
    main()
