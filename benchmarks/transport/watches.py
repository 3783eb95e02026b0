"""Watches: events to many watchers of one resource, a controller's loop over the wire, and what an idle watch costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from select import POLLIN, poll
from time import perf_counter
from typing import Final

from benchmarks.transport import requests
from benchmarks.transport.metering import SERVER_CPU, Figures, Meter
from benchmarks.transport.server import Server, memory_bytes
from benchmarks.transport.wire import TIMEOUT_SECONDS, Failed, Wire

IDLE_WATCHES: Final = 1_000

AHEAD: Final = 64
"""How many updates the writer may be ahead of the slowest watcher: servers remember some hundred events."""


class Updates:
    """A resource of its own in some namespace, and the updates of it, one after the other."""

    def __init__(self, wire: Wire, namespace: str) -> None:
        self._wire = wire
        self._answer = wire.call(requests.CREATE, requests.create("one", namespace=namespace))
        self.under_way = False

    def begin(self) -> None:
        """Send the next update; the one before has been answered."""
        self.under_way = True
        self._wire.begin(requests.UPDATE, requests.update(self._answer))
        self._wire.flush()

    def take(self, message: bytes | None) -> None:
        """Take what came of the update under way."""
        if message is None:
            self.under_way = False
        else:
            self._answer = message


class Both:
    """Two connections that are waited for together."""

    def __init__(self, *wires: Wire) -> None:
        self._wires = {wire.fileno(): wire for wire in wires}
        self._poll = poll()
        for descriptor in self._wires:
            self._poll.register(descriptor, POLLIN)

    def receive(self) -> Iterator[tuple[Wire, int, bytes | None]]:
        """Wait until there is something, and return all there is. Raises Failed."""
        ready = self._poll.poll(TIMEOUT_SECONDS * 1000)
        if not ready:
            raise Failed("nothing came")
        for descriptor, _ in ready:
            wire = self._wires[descriptor]
            for stream_id, message in wire.receive():
                yield wire, stream_id, message
            wire.flush()


def events(server: Server, watchers: int, seconds: float, name: str) -> Figures:
    """Update one resource as fast as its watchers follow; an operation is an event that one of them got."""
    with server.connect() as watching, server.connect() as writing:
        updates = Updates(writing, name)
        got = dict.fromkeys(_opened(watching, watchers, name), 0)
        both, meter = Both(watching, writing), Meter(writing)
        sent = seen_by_all = 0
        until = perf_counter() + seconds
        while True:
            going_on = perf_counter() < until
            if not going_on or sent - seen_by_all >= AHEAD:
                seen_by_all = min(got.values())
            if not updates.under_way and going_on and sent - seen_by_all < AHEAD:
                updates.begin()
                sent += 1
            elif not updates.under_way and not going_on and sent == seen_by_all:
                break
            for wire, stream_id, message in both.receive():
                if wire is watching:
                    got[stream_id] += _events(message)
                else:
                    updates.take(message)
        figures = meter.figures(sent * watchers)
        if set(got.values()) != {sent}:
            raise Failed(f"of {sent} events the watchers got {sorted(set(got.values()))}")
        return figures


def reconcile(server: Server, _: int, seconds: float, name: str) -> Figures:
    """Update an input, for which a second client, who watches inputs, updates an output, until the first sees it."""
    with server.connect() as writing, server.connect() as reconciling:
        inputs, outputs = Updates(writing, f"{name}-inputs"), Updates(reconciling, f"{name}-outputs")
        (woken,), (told,) = _opened(reconciling, 1, f"{name}-inputs"), _opened(writing, 1, f"{name}-outputs")
        both, meter, taken = Both(writing, reconciling), Meter(writing), []
        until = perf_counter() + seconds
        while (begun := perf_counter()) < until:
            inputs.begin()
            seen = 0
            while inputs.under_way or not seen:
                for wire, stream_id, message in both.receive():
                    if wire is writing and stream_id == told:
                        seen += _events(message)
                    elif wire is writing:
                        inputs.take(message)
                    elif stream_id == woken:
                        _events(message)
                        outputs.begin()
                    else:
                        outputs.take(message)
            taken.append(perf_counter() - begun)
        figures = meter.figures(len(taken))
    return {"median ms": statistics.median(taken) * 1000, SERVER_CPU: figures[SERVER_CPU]}


def idle(server: Server, watches: int, _: float, name: str) -> Figures:
    """Open watches that see nothing, and return what the server's memory grew by for each."""
    with server.connect() as watching, server.connect() as asking:
        _opened(watching, 1, name)  # the first brings what all share
        before = memory_bytes(asking)
        _opened(watching, watches, name)
        return {"bytes": (memory_bytes(asking) - before) / watches}


def _opened(wire: Wire, count: int, namespace: str) -> list[int]:
    """Open watches of a kind and return their streams' ids, once each stands: servers say so with an empty response."""
    watches = [wire.begin(requests.WATCH, requests.watch(namespace)) for _ in range(count)]
    standing = 0
    while standing < count:
        wire.flush()
        for _, message in wire.receive():
            if message != b"":
                raise Failed("a watch did not begin with an empty response")
            standing += 1
    return watches


def _events(message: bytes | None) -> int:
    if message is None:
        raise Failed("a watch ended")
    return requests.events_in(message)
