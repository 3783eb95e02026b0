"""The `machined` command: run the node, and tell a running one to upgrade."""

from __future__ import annotations

from pathlib import Path

import click

from cosi.cli.main import run as run_command
from machined.commands.access import pki, talosconfig
from machined.commands.cluster import cluster
from machined.commands.config import config as config_commands
from machined.commands.extension import extension, image
from machined.commands.trust import TRUST


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosi-runtime", prog_name="machined")
def cli() -> None:
    """Run a node that manages Talos-style system extensions."""


@cli.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The machine config file to follow.")
@click.option("--state", type=click.Path(path_type=Path), required=True, help="The directory the node keeps all in.")
@click.option("--socket", metavar="PATH", help="Listen on this unix socket; $COSI_SOCKET or a default one unless told.")
@click.option(
    "--listen", metavar="HOST[:PORT]",
    help="Let talosctl in there over TLS, on port 50000 unless told; nobody gets in from the network otherwise.",
)  # fmt: skip
@click.option(
    "--endpoint", "endpoints", metavar="HOST[:PORT]", multiple=True,
    help="Another name or address that clients reach --listen by; repeatable.",
)  # fmt: skip
@click.option(
    "--peer", "peers", metavar="NAME=HOST[:PORT]", multiple=True,
    help="Another node, to which calls that name it are passed on; repeatable.",
)  # fmt: skip
@click.option("--hostname", metavar="NAME", help="What the node is called; as its machine is unless told.")
@click.option(
    "--talosconfig", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Write an administrator's login for talosctl to this file.",
)  # fmt: skip
@click.option(
    "--transport", type=click.Choice(["native", "grpcio"]), default="native", show_default=True,
    help="What carries the calls: this project's own HTTP/2, or grpcio's.",
)  # fmt: skip
@click.option("--talos-version", metavar="VERSION", help="Judge extensions by the rules of this Talos version.")
@click.option(
    "--initramfs", type=click.Path(path_type=Path, dir_okay=False), help="Add the extensions to this initramfs as well."
)
@click.option(
    "--activation", type=click.Choice(["auto", "mounted", "namespace", "unpacked"]), default="auto", show_default=True,
    help="How the extensions become one tree; the best way that this machine allows unless told.",
)  # fmt: skip
@TRUST
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
    listen: str | None,
    endpoints: tuple[str, ...],
    peers: tuple[str, ...],
    hostname: str | None,
    talosconfig: Path | None,
    transport: str,
    talos_version: str | None,
    initramfs: Path | None,
    activation: str,
    trust: Path | None,
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
    node.run(
        config,
        state,
        socket,
        talos_version,
        hostname=hostname,
        sources=sources,
        initramfs=initramfs,
        activation=activation,
        trust=trust,
        door=node.door(listen, endpoints, peers, talosconfig, transport=transport),
        transport=transport,
        log_format=log_format,
        log_level=log_level,
    )


@cli.command()
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
@click.option("--dry-run", is_flag=True, help="Only say what an upgrade would do; exit with 1 if it would be refused.")
def upgrade(server: str | None, dry_run: bool) -> None:
    """Build a boot image of the extensions the config asks for now, and boot it."""
    from machined import upgrade as command

    command.run(server, dry_run=dry_run)


@cli.command()
@click.option("-s", "--server", metavar="ADDRESS", help="unix:PATH or HOST:PORT; the local socket unless told.")
def rollback(server: str | None) -> None:
    """Boot the image that was installed before the one that is active."""
    from machined import upgrade as command

    command.run(server, rollback=True)


for command in (talosconfig, pki, image, extension, config_commands, cluster):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    run_command(cli, "machined")
