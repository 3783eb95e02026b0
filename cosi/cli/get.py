"""`cosi get`: show resources as `talosctl get` shows them, of one node or of several.

A node that fails does not hide what the others have: what there is is shown, and then what went wrong, an error a line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from cosi.cli.asking import connected, failure
from cosi.cli.output.formats import writer_for
from cosi.cli.output.record import Definition, OutputError, Record, Writer
from cosi.cli.remote import Node, Remote, changes
from cosi.cli.resolve import Registered, resolve
from cosi.rpc.http2.status import RpcError

if TYPE_CHECKING:
    from cosi.cli.network import Network


def run(
    type: str,
    id: str | None,
    *,
    namespace: str,
    output: str,
    watch: bool,
    server: str | None,
    network: Network | None,
) -> None:
    """Show resources once, or watch them; those of a server on this machine unless a network is told.

    Raises click.ClickException.
    """
    try:
        writer = writer_for(output, sys.stdout)
        with _reached(server, network) as nodes:
            registered = resolve(type, nodes[0].remote.definitions())
            writer.header(_definition(registered), with_events=watch)
            try:
                show = _watch if watch else _show
                show(nodes, writer, namespace or registered.default_namespace, registered.type, id)
            finally:
                writer.flush()
    except (LookupError, ValueError) as error:
        raise click.ClickException(str(error.args[0] if error.args else error)) from None
    except RpcError as error:
        raise click.ClickException(error.message) from None


@contextmanager
def _reached(server: str | None, network: Network | None) -> Iterator[Sequence[Node]]:
    if network is None:
        with connected(server) as there:
            yield [Node(there.name, Remote(there.channel))]
    else:
        with network.reached() as nodes:
            yield nodes


def _show(nodes: Sequence[Node], writer: Writer, namespace: str, type: str, id: str | None) -> None:
    problems: list[str] = []
    for name, remote in nodes:
        for record in _records(name, remote, namespace, type, id, problems):
            try:
                writer.resource(name, record, "created")
            except OutputError as error:
                problems.append(str(error))
    if problems:
        raise failure(problems)


def _records(
    name: str, remote: Remote, namespace: str, type: str, id: str | None, problems: list[str]
) -> Sequence[Record]:
    """Return what a node has; what keeps it from telling is a problem more."""
    try:
        return remote.list(namespace, type) if id is None else [remote.get(namespace, type, id)]
    except RpcError as error:
        what = "listing resources" if id is None else "getting resource"
        problems.append(f"error {what} on node {name}: {error.message}")
        return []


def _watch(nodes: Sequence[Node], writer: Writer, namespace: str, type: str, id: str | None) -> None:
    watches = []
    for name, remote in nodes:
        try:
            watches.append(remote.watch(namespace, type, id))
        except RpcError as error:
            raise click.ClickException(f"error setting up watch on node {name}: {error.message}") from None
    # What the first node to tell has already comes as one table; after that, each event is shown at once.
    settled = id is not None
    try:
        for position, change in changes(watches):
            if change.event == "errored":
                raise click.ClickException(f"error watching resource: {change.error}")
            if change.event == "bootstrapped":
                settled = True
            elif change.record is not None:
                writer.resource(nodes[position].name, change.record, change.event)
            if settled:
                writer.flush()
    except RpcError as error:
        why = f'namespace "{namespace}" type "{type}": {error.message}'
        raise click.ClickException(f"error watching resource: {why}") from None


def _definition(registered: Registered) -> Definition:
    return Definition(registered.type, registered.display_type, tuple(registered.columns))
