"""`machined talosconfig` and `machined pki`: logins to a node, and the authority that they come from."""

from __future__ import annotations

from pathlib import Path

import click

_STATE = click.option(
    "--state", type=click.Path(path_type=Path, file_okay=False), required=True, help="The node's directory."
)


@click.command()
@_STATE
@click.option(
    "--endpoint", "endpoints", metavar="HOST[:PORT]", multiple=True, default=["127.0.0.1:50000"], show_default=True,
    help="Where clients reach the node; repeatable.",
)  # fmt: skip
@click.option(
    "--role", "roles", multiple=True, default=["os:admin"], show_default=True,
    help="os:admin, os:operator or os:reader; repeatable.",
)  # fmt: skip
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it is good for.")
@click.option("--merge", is_flag=True, help="Keep the logins to other nodes that are in the file.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The talosconfig.")
def talosconfig(
    state: Path, endpoints: tuple[str, ...], roles: tuple[str, ...], days: int, merge: bool, output: Path
) -> None:
    """Write a login to the node for talosctl."""
    from machined import pki

    pki.add_login(state, output, endpoints, roles, days=days, merge=merge)


@click.group()
def pki() -> None:
    """Replace the authority that the node's certificates and logins come from."""


@pki.command()
@_STATE
def rotate(state: Path) -> None:
    """Put a new authority beside the old one; both are good from then on."""
    from machined import pki

    pki.begin_rotation(state)


@pki.command()
@_STATE
def finish(state: Path) -> None:
    """Put the new authority in force; logins that the old one certified end."""
    from machined import pki

    pki.finish_rotation(state)
