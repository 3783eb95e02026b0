"""What calls and events cost on each transport, side by side: `python -m benchmarks.transport`.

Every round runs each workload on each transport, one right after the other, so that a noisy moment hits all of them
alike. Prints JSON: for each workload and figure, the medians of all rounds, and the median of the rounds' ratios.
Servers are processes of their own that say themselves what CPU time they have used. Rates say what client and server
reach together, with the client's own cost beside them; what a change of the server is worth, its CPU time tells.

    get_16, create_1, ...    so many callers on one connection
    list                     10,000 resources, whole lists
    events_100               one resource updated over the wire, delivered to so many watchers
    reconcile                an update, a second client's update in answer to it, and its event
    get_16_deadlines         the same where each call has a deadline of its own, as contexts in Go have them
    get_1_tls                the same over TLS; grpc.aio refuses Ed25519 certificates
    get_1_by_remote, ...     with a client instead of the load's own: ours on asyncio, ours that blocks, and grpc.aio
    idle_watches             memory for each watch, on a server of its own
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.transport import calls, clients, watches
from benchmarks.transport import server as servers
from benchmarks.transport.metering import Figures
from benchmarks.transport.report import report
from benchmarks.transport.server import Column, Server

SECONDS: Final = 0.6
ROUNDS: Final = 5

Run = Callable[[Server, int, float, str], Figures]
"""Runs a workload with so many callers or watchers for some seconds; what it creates has the name it is given."""

Taken = dict[str, dict[Column, list[Figures]]]
"""Figures of every round by workload and column."""


class Workload(NamedTuple):
    """Something to measure, with so many callers or watchers. `plain` names the same without what is special here."""

    run: Run
    clients: int = 1
    plain: str = ""

    def concerns(self, column: Column) -> bool:
        """Tell whether a transport can do it: grpc.aio refuses Ed25519 certificates."""
        return self.run is not calls.get_encrypted or column is not Column.GRPCIO


WORKLOADS: Final[Mapping[str, Workload]] = {
    "get_1": Workload(calls.get, 1),
    "get_1_tls": Workload(calls.get_encrypted, 1, plain="get_1"),
    "get_16": Workload(calls.get, 16),
    "get_16_deadlines": Workload(calls.get_with_deadlines, 16, plain="get_16"),
    "get_16_tls": Workload(calls.get_encrypted, 16, plain="get_16"),
    "create_1": Workload(calls.create, 1),
    "create_16": Workload(calls.create, 16),
    "update_16": Workload(calls.update, 16),
    "list": Workload(calls.list_),
    "events_1": Workload(watches.events, 1),
    "events_10": Workload(watches.events, 10),
    "events_100": Workload(watches.events, 100),
    "reconcile": Workload(watches.reconcile),
    "get_1_by_grpc_aio": Workload(clients.grpc_aio),
    "get_1_by_remote": Workload(clients.remote),
    "get_1_by_blocking": Workload(clients.blocking),
}
ONCE: Final[Mapping[str, Workload]] = {"idle_watches": Workload(watches.idle, watches.IDLE_WATCHES)}
"""Measured before all others, on servers that have done nothing yet."""


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        servers.run(Column(sys.argv[2]), Path(sys.argv[3]))
        return
    taken = _measure(_options())
    reports = {
        name: report(rounds, taken.get(WORKLOADS[name].plain, {}) if name in WORKLOADS else {})
        for name, rounds in taken.items()
    }
    print(json.dumps(reports, indent=4, ensure_ascii=False))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transport")
    parser.add_argument("--uvloop", action="store_true", help="the native transport on uvloop as well")
    parser.add_argument("--unix", action="store_true", help="over unix sockets instead of TCP on loopback")
    parser.add_argument(
        "--deadlines", action="store_true", help="a deadline for every call, not only in get_16_deadlines"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each workload runs in a round")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", default="", metavar="REGEX", help="the workloads whose names it is found in")
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> Taken:
    columns = [column for column in Column if options.uvloop or column is not Column.UVLOOP]
    taken: Taken = {}

    def run(name: str, workload: Workload, column: Column, server: Server, round: int) -> None:
        figures = workload.run(server, workload.clients, options.seconds, f"{name}-{round}")
        taken.setdefault(name, {}).setdefault(column, []).append(figures)

    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        servers.make_certificate(Path(directory))
        running = {
            column: stack.enter_context(
                servers.started(column, Path(directory), unix=options.unix, deadlines=options.deadlines)
            )
            for column in columns
        }
        for name, workload in _chosen(ONCE, options.only):
            for column, server in running.items():
                run(name, workload, column, server, 0)
        for round in range(options.rounds):
            # Whoever comes first may find a colder machine, so they take turns.
            turns = columns[::-1] if round % 2 else columns
            for name, workload in _chosen(WORKLOADS, options.only):
                for column in filter(workload.concerns, turns):
                    run(name, workload, column, running[column], round)
    return taken


def _chosen(workloads: Mapping[str, Workload], only: str) -> Iterator[tuple[str, Workload]]:
    return ((name, workload) for name, workload in workloads.items() if re.search(only, name))


if __name__ == "__main__":
    main()
