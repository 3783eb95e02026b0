"""One caller who gets a resource with clients in Python, one call after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any, Final

import grpc

from benchmarks.transport import requests
from benchmarks.transport.metering import Figures, Meter
from benchmarks.transport.server import NAMESPACE, Server
from benchmarks.transport.wire import Wire
from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.metadata import Pointer
from cosi.resource.registry import Registry
from cosi.rpc.blocking import Channel
from cosi.rpc.remote.state import connected

WARMING_CALLS: Final = 20


def blocking(server: Server, _: int, seconds: float, name: str) -> Figures:
    """Get with the blocking client, which programs use that start, ask and exit."""
    request = requests.get(name)
    with server.connect() as wire, Channel.connect(str(server.address)) as channel:
        wire.call(requests.CREATE, requests.create(name))

        def get() -> state_pb2.GetResponse:
            return state_pb2.GetResponse.FromString(channel.unary(requests.GET, request))

        for _ in range(WARMING_CALLS):
            get()
        meter, calls = Meter(wire), 0
        until = perf_counter() + seconds
        while perf_counter() < until:
            get()
            calls += 1
        return meter.figures(calls)


def remote(server: Server, _: int, seconds: float, name: str) -> Figures:
    """Get with the client on asyncio, which takes part in reconciling."""

    async def run(wire: Wire) -> Figures:
        pointer = Pointer(NAMESPACE, requests.TYPE, name)
        async with connected(server.address, Registry()) as state:
            return await _measured(wire, lambda: state.get(pointer), seconds)

    return _run(server, run, name)


def grpc_aio(server: Server, _: int, seconds: float, name: str) -> Figures:
    """Get with grpc.aio, and parse the answer: what the client on asyncio is measured by."""

    async def run(wire: Wire) -> Figures:
        request = requests.get(name)
        async with grpc.aio.insecure_channel(server.address.target) as channel:
            get: Any = channel.unary_unary(requests.GET, response_deserializer=state_pb2.GetResponse.FromString)
            return await _measured(wire, lambda: get(request), seconds)

    return _run(server, run, name)


def _run(server: Server, run: Callable[[Wire], Coroutine[Any, Any, Figures]], name: str) -> Figures:
    with server.connect() as wire:
        wire.call(requests.CREATE, requests.create(name))
        return asyncio.run(run(wire))


async def _measured(wire: Wire, get: Callable[[], Awaitable[object]], seconds: float) -> Figures:
    for _ in range(WARMING_CALLS):
        await get()
    meter, calls = Meter(wire), 0
    until = perf_counter() + seconds
    while perf_counter() < until:
        await get()
        calls += 1
    return meter.figures(calls)
