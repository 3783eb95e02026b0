"""`machined image build`: an initramfs with extensions, without a node: pull, judge, build, or say every fault."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import click

from machined.alone import alone_in
from talos.extensions import imager
from talos.extensions.blobs import BlobCorrupt, BlobMissing, BlobStore
from talos.extensions.credentials import Credentials, InvalidCredentials
from talos.extensions.image import PulledImage
from talos.extensions.imager import Built, Extension
from talos.extensions.initramfs import InitramfsError, check
from talos.extensions.inspection import examine
from talos.extensions.oci import Platform
from talos.extensions.pull import pull
from talos.extensions.pull_errors import PullError
from talos.extensions.reference import InvalidReference, Reference, extension_id
from talos.extensions.release import Release
from talos.extensions.squashfs import ToolError, find_tool
from talos.extensions.tar_stream import TarFault
from talos.extensions.tree import ROOTFS

MAX_CONCURRENT_PULLS: Final = 4


def run(
    initramfs: Path, output: Path, extensions: Sequence[str], *, talos_version: str, platform: str, cache: Path | None
) -> None:
    """Build an initramfs, and print what is in it. Raises click.ClickException with every fault, and OSError."""
    try:
        release, wanted_platform = Release.parse(talos_version), Platform.parse(platform)
        references = _parsed(extensions)
        check(initramfs)
        find_tool("mksquashfs", "squashfs-tools")
        directory = cache or default_cache()
        with alone_in(directory, what="build", option="--cache"):
            store = BlobStore(directory / "blobs")
            images = _pulled(references, store, wanted_platform)
            judged = _judged(references, images, store, talos_version)
            built = imager.build(initramfs, judged, output.absolute(), release=release, progress=_say)
            store.keep_only({blob for image in images for blob in (*image.blobs, image.digest)})
    except (ValueError, InitramfsError, ToolError, TarFault, BlobMissing, BlobCorrupt) as error:
        raise click.ClickException(str(error)) from None
    _report(built, output)


def default_cache() -> Path:
    """Return where images are kept between builds, unless told."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "cosi" / "images"


def _parsed(texts: Sequence[str]) -> Sequence[Reference]:
    references, faults = [], []
    for text in texts:
        try:
            references.append(Reference.parse(text))
        except InvalidReference as error:
            faults.append(str(error))
    faults += [f"{text}: given twice; leave one out" for text in sorted({t for t in texts if texts.count(t) > 1})]
    _refuse_on(faults)
    return references


def _pulled(references: Sequence[Reference], store: BlobStore, platform: Platform) -> Sequence[PulledImage]:
    """Bring all images into the store, a few at once. Raises click.ClickException with what is wrong with each."""
    try:
        credentials = Credentials.from_environment()
    except InvalidCredentials as error:
        raise click.ClickException(str(error)) from None
    images: dict[str, PulledImage] = {}
    faults: dict[str, str] = {}

    async def fetch(reference: Reference, limit: anyio.Semaphore) -> None:
        async with limit:
            _say(f"pulling {reference}")
            try:
                images[reference.text] = await pull(
                    reference,
                    store,
                    platform=platform,
                    base_directory=Path.cwd(),
                    credentials=credentials,
                    progress=lambda _: None,
                    held=set(),
                )
            except PullError as error:
                faults[reference.text] = str(error)

    async def fetch_all() -> None:
        limit = anyio.Semaphore(MAX_CONCURRENT_PULLS)
        async with anyio.create_task_group() as tasks:
            for reference in references:
                tasks.start_soon(fetch, reference, limit)

    anyio.run(fetch_all)
    _refuse_on([faults[reference.text] for reference in references if reference.text in faults])
    return [images[reference.text] for reference in references]


def _judged(
    references: Sequence[Reference], images: Sequence[PulledImage], store: BlobStore, talos_version: str
) -> Sequence[Extension]:
    """Look into all images. Raises click.ClickException with every fault of every one."""
    extensions, faults = [], []
    for index, (reference, image) in enumerate(zip(references, images, strict=True)):
        _say(f"validating {reference}")
        tree, verdict = examine(image, store, talos_version=talos_version)
        faults += [f"{reference}: {fault}" for fault in verdict.faults]
        if verdict.manifest is not None:
            id = extension_id(index, reference.text)
            extensions.append(Extension(id, verdict.manifest.metadata, tree.below(ROOTFS)))
    _refuse_on(faults)
    return extensions


def _refuse_on(faults: Sequence[str]) -> None:
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise click.ClickException(f"nothing was written: {count}\n" + "\n".join(f"  {fault}" for fault in faults))


def _report(built: Built, output: Path) -> None:
    for overlap in built.overlaps:
        sys.stderr.write(f"warning: {overlap}\n")
    for layer in built.layers:
        sys.stdout.write(f"{layer.image}  {layer.metadata.name} {layer.metadata.version}  {layer.size} bytes\n")
    sys.stdout.write(f"{output}  {built.size} bytes\n")


def _say(what: str) -> None:
    sys.stderr.write(f"{what}\n")
