"""`machined extension`: write an extension, judge it, make an image of it, look into images of others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import anyio
import click

from machined.pulling import image_cache, parsed, pulled, refuse_on
from talos.extensions import authoring
from talos.extensions.authoring import AuthoringError
from talos.extensions.credentials import Credentials, InvalidCredentials
from talos.extensions.image import PulledImage
from talos.extensions.inspection import examine
from talos.extensions.manifest import ExtensionManifest
from talos.extensions.oci import MalformedDocument, Platform
from talos.extensions.pull_errors import PullError
from talos.extensions.push import push as talos_push
from talos.extensions.reference import LayoutLocation, is_tag
from talos.extensions.tree import Tree
from talos.extensions.verdict import Verdict


def init(directory: Path, name: str | None) -> None:
    """Start an extension. Raises click.ClickException."""
    try:
        authoring.create(directory, name or directory.absolute().name)
    except AuthoringError as error:
        raise click.ClickException(str(error)) from None
    sys.stdout.write(f"{directory}: describe it in manifest.yaml, and put its files below rootfs/\n")


def build(directory: Path, layout: Path, tag: str | None, platforms: Sequence[str], *, talos_version: str) -> None:
    """Make an image in a layout; on any fault nothing is written. Raises click.ClickException."""
    try:
        wanted = [Platform.parse(platform) for platform in platforms] or authoring.DEFAULT_PLATFORMS
        manifest = _sound(str(directory), authoring.judge(directory, talos_version=talos_version))
        tag = tag or manifest.metadata.version
        if not is_tag(tag):
            raise click.ClickException(f'"{tag}" is no tag; choose another one with --tag')
        descriptor = authoring.build_image(directory, layout, tag, platforms=wanted)
    except (AuthoringError, MalformedDocument, ValueError) as error:
        raise click.ClickException(str(error)) from None
    sys.stdout.write(f"oci:{layout}:{tag}  {descriptor.digest}\n")


def validate(target: str, *, talos_version: str, platform: str, cache: Path | None) -> None:
    """Judge a directory or an image. Raises click.ClickException with every fault."""
    try:
        if Path(target).is_dir():
            verdict = authoring.judge(Path(target), talos_version=talos_version)
        else:
            _, _, verdict = _examined(target, talos_version, platform, cache)
    except (AuthoringError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    manifest = _sound(target, verdict)
    sys.stdout.write(f"{target}: {manifest.metadata.name} {manifest.metadata.version} keeps every rule\n")


def inspect(target: str, *, talos_version: str, platform: str, cache: Path | None) -> None:
    """Print what is in an image, and the rules it breaks. Raises click.ClickException."""
    try:
        image, tree, verdict = _examined(target, talos_version, platform, cache)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    lines = [f"image     {target}", f"digest    {image.digest}", f"platform  {image.platform}"]
    if verdict.manifest is not None:
        metadata = verdict.manifest.metadata
        lines += [f"name      {metadata.name}", f"version   {metadata.version}", f"author    {metadata.author}"]
        lines += [f"talos     {metadata.compatibility.talos.version or 'any version'}"]
    lines += [
        f"{entry.mode:04o} {entry.size:>12}  {path}{f' -> {entry.link}' if entry.link else ''}"
        for path, entry in tree.entries.items()
    ]
    lines += [f"fault     {fault}" for fault in verdict.faults]
    sys.stdout.write("\n".join(lines) + "\n")


def push(source: str, target: str) -> None:
    """Copy an image from a layout to a registry. Raises click.ClickException."""
    here, there = (parsed([text])[0] for text in (source, target))
    if not isinstance(here.location, LayoutLocation):
        raise click.ClickException(f"{source}: this is not in a layout; write oci:PATH:TAG")
    if isinstance(there.location, LayoutLocation) or there.pinned:
        raise click.ClickException(f"{target}: this is no place on a registry; write HOST/NAME:TAG")
    try:
        credentials = Credentials.from_environment()
        copying = partial(talos_push, here, there, base_directory=Path.cwd(), credentials=credentials)
        digest = anyio.run(copying)
    except (PullError, InvalidCredentials) as error:
        raise click.ClickException(str(error)) from None
    sys.stdout.write(f"{target}  {digest}\n")


def _examined(target: str, talos_version: str, platform: str, cache: Path | None) -> tuple[PulledImage, Tree, Verdict]:
    references = parsed([target])
    with image_cache(cache) as store:
        image = pulled(references, store, Platform.parse(platform))[0]
        return image, *examine(image, store, talos_version=talos_version)


def _sound(what: str, verdict: Verdict) -> ExtensionManifest:
    refuse_on([f"{what}: {fault}" for fault in verdict.faults])
    assert verdict.manifest is not None
    return verdict.manifest
