"""The `machined` command: run the node, and tell a running one to upgrade."""

from __future__ import annotations

from pathlib import Path

import click

from cosi.cli.main import run as run_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosi-runtime", prog_name="machined")
def cli() -> None:
    """Run a node that manages Talos-style system extensions."""


@cli.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The machine config file to follow.")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="The directory the node keeps all in.")
@click.option("--socket", metavar="PATH", help="Listen on this unix socket; $COSI_SOCKET or a default one unless told.")
@click.option(
    "--transport", type=click.Choice(["native", "grpcio"]), default="native", show_default=True,
    help="What carries the calls: this project's own HTTP/2, or grpcio's.",
)  # fmt: skip
@click.option("--talos-version", metavar="VERSION", help="Judge extensions by the rules of this Talos version.")
@click.option(
    "--controller", "references", metavar="MODULE:CLASS", multiple=True, help="Run this controller as well; repeatable."
)
@click.option(
    "--plugins", metavar="DIR", type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Run the controllers in the .py files of this directory as well.",
)  # fmt: skip
@click.option("--no-entry-points", is_flag=True, help="Leave out controllers that installed packages bring.")
@click.option("--log-format", type=click.Choice(["console", "json"]), default="console", show_default=True)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def run(
    config: Path,
    state: Path,
    socket: str | None,
    transport: str,
    talos_version: str | None,
    references: tuple[str, ...],
    plugins: Path | None,
    no_entry_points: bool,
    log_format: str,
    log_level: str,
) -> None:
    """Run the node until it is told to stop (Ctrl-C, SIGTERM)."""
    from cosi.plugins.sources import Sources
    from machined import node

    sources = Sources(references, plugins, entry_points=not no_entry_points)
    options = {"transport": transport, "log_format": log_format, "log_level": log_level}
    node.run(config, state, socket, talos_version, sources=sources, **options)


@cli.command()
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
def upgrade(server: str | None) -> None:
    """Build a boot image of the extensions the config asks for now, and boot it."""
    from machined import upgrade as command

    command.run(server)


def main() -> None:
    """Run the command line."""
    run_command(cli, "machined")
