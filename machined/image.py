"""`machined image build`: an initramfs with extensions, without a node: pull, judge, build, or say every fault."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from machined.pulling import image_cache, parsed, policy_in, pulled, refuse_on, say
from machined.unchanged import BuildRecords, Report
from talos.extensions import imager
from talos.extensions.blobs import BlobCorrupt, BlobMissing, BlobStore
from talos.extensions.bootimage import digest_of_file
from talos.extensions.image import PulledImage
from talos.extensions.imager import Built, Extension
from talos.extensions.initramfs import InitramfsError, check
from talos.extensions.inspection import examine
from talos.extensions.oci import Platform
from talos.extensions.reference import Reference, extension_id
from talos.extensions.release import Release
from talos.extensions.squashfs import ToolError, find_tool, tool_version
from talos.extensions.tar_stream import TarFault
from talos.extensions.tree import ROOTFS

BUILDER: Final = 1
"""Grows when the same inputs make other bytes than before."""


def run(
    initramfs: Path,
    output: Path,
    extensions: Sequence[str],
    *,
    talos_version: str,
    platform: str,
    cache: Path | None,
    trust: Path | None = None,
) -> None:
    """Build an initramfs, and print what is in it. Raises click.ClickException with every fault, and OSError."""
    try:
        release, wanted_platform = Release.parse(talos_version), Platform.parse(platform)
        references = parsed(extensions)
        policy = policy_in(trust) if trust is not None else None
        check(initramfs)
        find_tool("mksquashfs", "squashfs-tools")
        with image_cache(cache) as store:
            images = pulled(references, store, wanted_platform, policy)
            records = BuildRecords(store.directory.parent / "built")
            made_of = [
                (reference.text, image.manifest_digest) for reference, image in zip(references, images, strict=True)
            ]
            inputs = (made_of, talos_version, digest_of_file(initramfs), BUILDER, tool_version())
            report = records.find(inputs, output)
            if report is not None:
                say(f"{output} is up to date")
            else:
                judged = _judged(references, images, store, talos_version)
                built = imager.build(initramfs, judged, output.absolute(), release=release, progress=say)
                report = _report(built, output)
                records.add(inputs, output, report)
    except (ValueError, InitramfsError, ToolError, TarFault, BlobMissing, BlobCorrupt) as error:
        raise click.ClickException(str(error)) from None
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    for line in report.lines:
        sys.stdout.write(f"{line}\n")


def _judged(
    references: Sequence[Reference], images: Sequence[PulledImage], store: BlobStore, talos_version: str
) -> Sequence[Extension]:
    """Look into all images. Raises click.ClickException with every fault of every one."""
    extensions, faults = [], []
    for index, (reference, image) in enumerate(zip(references, images, strict=True)):
        say(f"validating {reference}")
        tree, verdict = examine(image, store, talos_version=talos_version)
        faults += [f"{reference}: {fault}" for fault in verdict.faults]
        if verdict.manifest is not None:
            id = extension_id(index, reference.text)
            extensions.append(Extension(id, verdict.manifest.metadata, tree.below(ROOTFS)))
    refuse_on(faults)
    return extensions


def _report(built: Built, output: Path) -> Report:
    lines = [
        f"{layer.image}  {layer.metadata.name} {layer.metadata.version}  {layer.size} bytes" for layer in built.layers
    ]
    return Report([*map(str, built.overlaps)], [*lines, f"{output}  {built.size} bytes"])
