"""The `machined` command: run the node, and tell a running one to upgrade."""

from __future__ import annotations

from pathlib import Path

import click

from cosi.cli.main import run as run_command
from machined.commands.cluster import cluster
from machined.commands.config import config as config_commands


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cosi-runtime", prog_name="machined")
def cli() -> None:
    """Run a node that manages Talos-style system extensions."""


_TRUST = click.option(
    "--trust-policy", "trust", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Take images only with the signatures that this policy asks for.",
)  # fmt: skip


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
@_TRUST
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


_STATE = click.option(
    "--state", type=click.Path(path_type=Path, file_okay=False), required=True, help="The node's directory."
)


@cli.command()
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


@cli.group()
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


@cli.group()
def image() -> None:
    """Build boot images without a node."""


_TALOS_VERSION = click.option("--talos-version", metavar="VERSION", help="The Talos version whose rules hold.")
_PLATFORM = click.option("--platform", default="linux/amd64", show_default=True, help="OS/ARCHITECTURE of the image.")
_CACHE = click.option("--cache", type=click.Path(path_type=Path), metavar="DIR", help="Where pulled images are kept.")


@image.command("build")
@click.option("--initramfs", type=click.Path(path_type=Path), required=True, help="The initramfs to add to.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Where the new initramfs goes.")
@click.option(
    "--extension", "extensions", metavar="REF", multiple=True, required=True,
    help="HOST/NAME:TAG or oci:PATH:TAG; repeatable, the first lies on top.",
)  # fmt: skip
@_TALOS_VERSION
@_PLATFORM
@_CACHE
@_TRUST
def build_image(
    initramfs: Path,
    output: Path,
    extensions: tuple[str, ...],
    talos_version: str | None,
    platform: str,
    cache: Path | None,
    trust: Path | None,
) -> None:
    """Add extensions to an initramfs. On any fault nothing is written, and all faults are printed."""
    from machined import image

    version = _version(talos_version)
    image.run(initramfs, output, extensions, talos_version=version, platform=platform, cache=cache, trust=trust)


@cli.group()
def extension() -> None:
    """Write extensions, and look into those of others."""


@extension.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--name", help="The extension's name; the directory's unless told.")
def init(directory: Path, name: str | None) -> None:
    """Start an extension in a new directory."""
    from machined import extension

    extension.init(directory, name)


@extension.command("build")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The OCI image layout to add it to.")
@click.option("--tag", help="The image's name there; the extension's version unless told.")
@click.option(
    "--platform", "platforms", multiple=True, metavar="OS/ARCH",
    help="Repeatable; linux/amd64 and linux/arm64 unless told.",
)  # fmt: skip
@_TALOS_VERSION
def build_extension(
    directory: Path, output: Path, tag: str | None, platforms: tuple[str, ...], talos_version: str | None
) -> None:
    """Make an image of a directory. On any fault nothing is written, and all faults are printed."""
    from machined import extension

    extension.build(directory, output, tag, platforms, talos_version=_version(talos_version))


@extension.command()
@click.argument("target", metavar="DIRECTORY|REF")
@_TALOS_VERSION
@_PLATFORM
@_CACHE
def validate(target: str, talos_version: str | None, platform: str, cache: Path | None) -> None:
    """Say every rule that a directory or an image breaks; exit with 1 if there is one."""
    from machined import extension

    extension.validate(target, talos_version=_version(talos_version), platform=platform, cache=cache)


@extension.command()
@click.argument("target", metavar="REF")
@_TALOS_VERSION
@_PLATFORM
@_CACHE
def inspect(target: str, talos_version: str | None, platform: str, cache: Path | None) -> None:
    """Print what an image says of itself, its files, and the rules it breaks."""
    from machined import extension

    extension.inspect(target, talos_version=_version(talos_version), platform=platform, cache=cache)


@extension.command()
@click.argument("source", metavar="oci:PATH:TAG")
@click.argument("target", metavar="HOST/NAME:TAG")
def push(source: str, target: str) -> None:
    """Copy an image from an OCI layout to a registry, for all its platforms."""
    from machined import extension

    extension.push(source, target)


cli.add_command(cluster)
cli.add_command(config_commands)


def _version(given: str | None) -> str:
    from machined.assembly import DEFAULT_TALOS_VERSION

    return given or DEFAULT_TALOS_VERSION


def main() -> None:
    """Run the command line."""
    run_command(cli, "machined")
