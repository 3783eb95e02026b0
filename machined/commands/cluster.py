"""`machined cluster`: several nodes on one machine, to try what several machines do."""

from __future__ import annotations

from pathlib import Path

import click

_MAX_PORT = 65_535


@click.group()
def cluster() -> None:
    """Run several nodes on this machine."""


@cluster.command()
@click.option(
    "--nodes", "count", type=click.IntRange(1, 16), default=3, show_default=True,
    help="How many: 127.0.0.1, 127.0.0.2, and so on.",
)  # fmt: skip
@click.option(
    "--directory", type=click.Path(path_type=Path, file_okay=False), default="cluster", show_default=True,
    help="Where they keep all; the next start goes on with it.",
)  # fmt: skip
@click.option("--port", type=click.IntRange(1, _MAX_PORT), default=50000, show_default=True, help="The port of each.")
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="FILE",
    help="The machine config that all of them follow; each has its own in its directory unless told.",
)  # fmt: skip
def up(count: int, directory: Path, port: int, config: Path | None) -> None:
    """Start nodes that trust each other and pass calls on; they stop with this command."""
    from machined import cluster

    cluster.up(directory, count, port=port, config=config)
