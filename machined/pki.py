"""`machined talosconfig` and `machined pki`: logins to a node, and its authorities, for who may read its directory."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from machined.login import now, parse_endpoint, write_login
from talos.access.authorities import Authorities, RotationError
from talos.access.roles import Role


def add_login(
    state: Path, output: Path, endpoints: Sequence[str], roles: Sequence[str], *, days: int, merge: bool
) -> None:
    """Write a login into a talosconfig. Raises click.ClickException, OSError."""
    if Role.IMPERSONATOR in roles:
        problem = f"{Role.IMPERSONATOR} is what nodes are to each other, and a login with it could be anybody"
        raise click.ClickException(f"{problem}: choose another --role")
    try:
        reached = [parse_endpoint(each).target for each in endpoints]
        lifetime = datetime.timedelta(days=days)
        context = write_login(_authorities(state), output, reached, merge=merge, roles=roles, lifetime=lifetime)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    sys.stdout.write(f"{output}: the context {context} logs in to {', '.join(reached)} as {', '.join(roles)}\n")


def begin_rotation(state: Path) -> None:
    """Put a new authority beside the old one. Raises click.ClickException, OSError."""
    _rotate(lambda authorities: authorities.begin_rotation(now()), state)
    sys.stdout.write(
        "A new authority stands beside the old one. Hand out new logins (machined talosconfig), which trust both;\n"
        "then lock the old ones out: machined pki finish\n"
    )


def finish_rotation(state: Path) -> None:
    """Put the new authority in force, and forget the old one. Raises click.ClickException, OSError."""
    _rotate(Authorities.finish_rotation, state)
    sys.stdout.write("The new authority is in force. Logins from before the rotation open nothing any more.\n")


def _rotate(step: Callable[[Authorities], None], state: Path) -> None:
    try:
        step(_authorities(state))
    except (RotationError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _authorities(state: Path) -> Authorities:
    directory = state / "pki"
    if not directory.is_dir():
        raise click.ClickException(f"there is no {directory}: start the node once with machined run --listen HOST:PORT")
    return Authorities(directory)
