"""`cosi get`: show resources as `talosctl get` shows them."""

from __future__ import annotations

import sys

import click

from cosi.cli.output.formats import writer_for
from cosi.cli.output.record import Definition, Writer
from cosi.cli.remote import Remote
from cosi.cli.resolve import Registered, resolve
from cosi.rpc import address
from cosi.rpc.blocking import Channel
from cosi.rpc.http2.status import RpcError

CONNECT_SECONDS = 5.0
LOCAL_NODE = "localhost"
"""What the NODE column says of a server on a unix socket."""


def run(type: str, id: str | None, *, namespace: str, output: str, watch: bool, server: str | None) -> None:
    """Show resources once, or watch them. Raises click.ClickException."""
    try:
        writer = writer_for(output, sys.stdout)
        where = address.parse(server) if server else address.Address(path=address.default_socket())
        with Channel.connect(where.target, timeout_seconds=CONNECT_SECONDS) as channel:
            remote = Remote(channel)
            registered = resolve(type, remote.definitions())
            writer.header(_definition(registered), with_events=watch)
            node = where.host or LOCAL_NODE
            show = _watch if watch else _show
            show(remote, writer, node, registered, namespace or registered.default_namespace, id)
    except (LookupError, ValueError) as error:
        raise click.ClickException(str(error.args[0] if error.args else error)) from None
    except RpcError as error:
        raise click.ClickException(error.message) from None


def _show(remote: Remote, writer: Writer, node: str, registered: Registered, namespace: str, id: str | None) -> None:
    kind = (namespace, registered.type)
    for record in remote.list(*kind) if id is None else [remote.get(*kind, id)]:
        writer.resource(node, record, "created")
    writer.flush()


def _watch(remote: Remote, writer: Writer, node: str, registered: Registered, namespace: str, id: str | None) -> None:
    # What exists already comes as one table; after that, each event is shown at once.
    settled = id is not None
    for event, record, error in remote.watch(namespace, registered.type, id):
        if event == "errored":
            raise click.ClickException(f"error watching resource: {error}")
        if event == "bootstrapped":
            settled = True
        elif record is not None:
            writer.resource(node, record, event)
        if settled:
            writer.flush()
            sys.stdout.flush()
    raise click.ClickException("the server ended the watch; it is probably shutting down")


def _definition(registered: Registered) -> Definition:
    return Definition(registered.type, registered.display_type, tuple(registered.columns))
