"""`machined image` and `machined extension`: boot images and extensions without a node."""

from __future__ import annotations

from pathlib import Path

import click

from machined.commands.trust import TRUST


@click.group()
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
@TRUST
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


@click.group()
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


def _version(given: str | None) -> str:
    from machined.assembly import DEFAULT_TALOS_VERSION

    return given or DEFAULT_TALOS_VERSION
