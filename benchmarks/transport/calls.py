"""Unary calls and lists: callers on one connection, each its own calls one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Final

from benchmarks.transport import requests
from benchmarks.transport.metering import PER_SECOND, SERVER_CPU, Figures, Meter
from benchmarks.transport.requests import Requests
from benchmarks.transport.server import LISTED, LISTED_TYPE, NAMESPACE, Server
from benchmarks.transport.wire import Failed, Wire
from cosi._pb.v1alpha1 import state_pb2

WARMING_SECONDS: Final = 0.05


def get(server: Server, callers: int, seconds: float, name: str) -> Figures:
    """Get a resource; all callers the same."""
    with server.connect() as wire:
        return _gets(wire, callers, seconds, name)


def get_with_deadlines(server: Server, callers: int, seconds: float, name: str) -> Figures:
    """Get a resource, each time with another deadline: to a server no two such requests look the same."""
    with server.connect(deadlines=True) as wire:
        return _gets(wire, callers, seconds, name)


def get_encrypted(server: Server, callers: int, seconds: float, name: str) -> Figures:
    """Get a resource over TLS."""
    with server.connect_encrypted() as wire:
        return _gets(wire, callers, seconds, name)


def create(server: Server, callers: int, seconds: float, name: str) -> Figures:
    """Create resources."""
    with server.connect() as wire:
        loads = [requests.creates(f"{name}-{caller}-") for caller in range(callers)]
        return _measured(wire, requests.CREATE, loads, seconds)


def update(server: Server, callers: int, seconds: float, name: str) -> Figures:
    """Update a resource; each caller one of its own."""
    with server.connect() as wire:
        loads = []
        for caller in range(callers):
            created = wire.call(requests.CREATE, requests.create(f"{name}-{caller}"))
            loads.append(requests.updates(created))
        return _measured(wire, requests.UPDATE, loads, seconds)


def list_(server: Server, _: int, seconds: float, name: str) -> Figures:
    """List 10,000 resources; the figures are of whole lists."""
    request = state_pb2.ListRequest(namespace=NAMESPACE, type=LISTED_TYPE).SerializeToString()
    with server.connect() as wire:
        _list(wire, request)  # the first encodes them, for all that follow
        meter, lists = Meter(wire), 0
        until = perf_counter() + seconds
        while not lists or perf_counter() < until:
            _list(wire, request)
            lists += 1
        figures = meter.figures(lists)
    return {PER_SECOND: figures[PER_SECOND], "server CPU ms": figures[SERVER_CPU] / 1000}


def _gets(wire: Wire, callers: int, seconds: float, name: str) -> Figures:
    wire.call(requests.CREATE, requests.create(name))
    return _measured(wire, requests.GET, [requests.gets(name) for _ in range(callers)], seconds)


def _measured(wire: Wire, method: str, loads: Sequence[Requests], seconds: float) -> Figures:
    last = [next(load) for load in loads]
    _, last = _keep_calling(wire, method, loads, last, WARMING_SECONDS)
    meter = Meter(wire)
    calls, _ = _keep_calling(wire, method, loads, last, seconds)
    return meter.figures(calls)


def _keep_calling(
    wire: Wire, method: str, loads: Sequence[Requests], first: Sequence[bytes], seconds: float
) -> tuple[int, list[bytes]]:
    """Call for some time; return how many calls were answered, and each caller's next request."""
    under_way = {wire.begin(method, request): caller for caller, request in enumerate(first)}
    due = list(first)
    answers: dict[int, bytes] = {}
    calls = 0
    until = perf_counter() + seconds
    while under_way:
        wire.flush()
        going_on = perf_counter() < until
        for stream_id, message in wire.receive():
            if message is not None:
                answers[stream_id] = message
                continue
            caller = under_way.pop(stream_id)
            calls += 1
            due[caller] = loads[caller].send(answers.pop(stream_id))
            if going_on:
                under_way[wire.begin(method, due[caller])] = caller
    return calls, due


def _list(wire: Wire, request: bytes) -> None:
    wire.begin(requests.LIST, request)
    wire.flush()
    resources, ended = 0, False
    while not ended:
        received = wire.receive()
        resources += len(received)
        ended = bool(received) and received[-1][1] is None
        wire.flush()
    if resources - 1 != LISTED:
        raise Failed(f"{resources - 1} of {LISTED} resources were listed")
