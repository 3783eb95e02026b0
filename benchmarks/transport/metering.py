"""What operations cost: how many in a second, and the CPU time they take on either side."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import Final

from benchmarks.transport.server import cpu_seconds
from benchmarks.transport.wire import Failed, Wire

Figures = dict[str, float]

PER_SECOND: Final = "per second"
SERVER_CPU: Final = "server CPU µs"
CLIENT_CPU: Final = "client CPU µs"


class Meter:
    """Counts from the moment it is made. `wire` leads to the server, and is idle whenever the meter is read."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._server = cpu_seconds(wire)
        self._client = process_time()
        self._begun = perf_counter()

    def figures(self, operations: int) -> Figures:
        """Return what each of so many operations cost until now."""
        taken, client = perf_counter() - self._begun, process_time() - self._client
        server = cpu_seconds(self._wire) - self._server
        if not operations:
            raise Failed("nothing was done")
        return {
            PER_SECOND: operations / taken,
            SERVER_CPU: server / operations * 1e6,
            CLIENT_CPU: client / operations * 1e6,
        }
