"""From an initramfs and validated extensions to an initramfs that boots with them: all of it, or nothing is written.

    each extension ─▶ squashfs layer ─┐
    kernel modules ─▶ depmod ─▶ layer ├─▶ initramfs ─▶ made durable ─▶ renamed into its place
    firmware, microcode, extensions.yaml ┘

The same input makes the same bytes. Blocks. Source: pkg/imager/extensions of siderolabs/talos.
"""

import glob
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from talos.extensions import extensions_file, initramfs
from talos.extensions.blobs import sync_directory
from talos.extensions.extensions_file import IMAGE_SUFFIX, ListedExtension
from talos.extensions.initramfs import Addition
from talos.extensions.kernel_modules import LAYER_NAME, index_modules
from talos.extensions.manifest import Metadata
from talos.extensions.placement import Overlap, overlaps, place
from talos.extensions.release import Release
from talos.extensions.squashfs import write_squashfs
from talos.extensions.tree import Tree

PARTIAL_SUFFIX = ".partial"


class Extension(msgspec.Struct, frozen=True):
    """An extension that has passed inspection; `rootfs` is what it adds to the root."""

    extension_id: str
    metadata: Metadata
    rootfs: Tree


class BuiltLayer(msgspec.Struct, frozen=True):
    """A layer of the image, and its size in bytes."""

    image: str
    metadata: Metadata
    size: int


class Built(msgspec.Struct, frozen=True):
    """What was built, the topmost layer first, and the files that hide others."""

    layers: tuple[BuiltLayer, ...]
    overlaps: tuple[Overlap, ...]
    size: int


def build(
    original: Path,
    extensions: Sequence[Extension],
    output: Path,
    *,
    release: Release,
    progress: Callable[[str], None],
) -> Built:
    """Add extensions, the first on top, to an initramfs; `progress` is told what is worked on.

    Raises InitramfsError, ToolError, TarFault and OSError, and then `output` is what it was before.
    """
    initramfs.check(original)
    placements = [place(extension.rootfs, release) for extension in extensions]
    names = [extension.extension_id for extension in extensions]
    with _workplace(output) as work:
        trees = [
            (f"{extension.extension_id}{IMAGE_SUFFIX}", extension.metadata, placement.layer)
            for extension, placement in zip(extensions, placements, strict=True)
        ]
        scratch = work / "modules"
        scratch.mkdir()
        index = index_modules(original, list(zip(names, placements, strict=True)), scratch, release)
        if index is not None:
            trees.append((f"{LAYER_NAME}{IMAGE_SUFFIX}", index.metadata, index.tree))
        layers = []
        for image, metadata, tree in trees:
            progress(f"packing {image}")
            write_squashfs(tree, work / image, compression=release.compression)
            layers.append(BuiltLayer(image, metadata, (work / image).stat().st_size))
        progress("assembling the initramfs")
        listed = [ListedExtension(layer.image, layer.metadata) for layer in layers]
        addition = Addition(extensions_file.dump(listed), [work / layer.image for layer in layers], placements)
        with (work / output.name).open("xb") as target:
            initramfs.assemble(original, addition, target, compression=release.compression)
            target.flush()
            os.fsync(target.fileno())
            size = target.tell()
        (work / output.name).rename(output)
        sync_directory(output.parent)
    found = overlaps([(extension.extension_id, extension.rootfs) for extension in extensions], release)
    return Built(tuple(layers), found, size)


@contextmanager
def _workplace(output: Path) -> Iterator[Path]:
    """Work in a directory beside `output`, so that the last step is a rename; a crash leaves it to the next build."""
    for left in output.parent.glob(f".{glob.escape(output.name)}.*{PARTIAL_SUFFIX}"):
        shutil.rmtree(left, ignore_errors=True)
    work = output.with_name(f".{output.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
    work.mkdir(mode=0o700)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
