"""`machined config`: check, patch and show machine configs, without a node."""

from __future__ import annotations

from pathlib import Path

import click

_FILE = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))


@click.group()
def config() -> None:
    """Check, patch and show machine configs; FILE is - for standard input."""


@config.command()
@_FILE
def validate(file: Path) -> None:
    """Say every fault of a config, and list its documents; exit with 1 if there is a fault."""
    from machined import config

    config.validate(file)


@config.command()
@_FILE
@click.option(
    "--patch", "patches", metavar="@FILE|TEXT", multiple=True, required=True,
    help="A strategic merge patch or a JSON patch, in YAML or JSON; repeatable, in their order.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write the config to this file, for its owner alone; to standard output unless told.",
)  # fmt: skip
def patch(file: Path, patches: tuple[str, ...], output: Path | None) -> None:
    """Change a config as talosctl does. On any fault nothing is written, and all faults are printed."""
    from machined import config

    config.patch(file, patches, output)


@config.command()
@_FILE
def redact(file: Path) -> None:
    """Print a config without its secrets and comments."""
    from machined import config

    config.redact(file)
