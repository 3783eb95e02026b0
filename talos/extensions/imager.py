"""From an initramfs and validated extensions to an initramfs that boots with them: all of it, or nothing is written.

    each extension ─▶ squashfs layer ─┐
    kernel modules ─▶ depmod ─▶ layer ├─▶ initramfs ─▶ made durable ─▶ renamed into its place
    firmware, microcode, extensions.yaml ┘

The same input makes the same bytes. Blocks. Source: pkg/imager/extensions of siderolabs/talos.
"""

import glob
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import msgspec

from talos.extensions import extensions_file, initramfs
from talos.extensions.blobs import sync_directory
from talos.extensions.extensions_file import IMAGE_SUFFIX, ListedExtension
from talos.extensions.initramfs import Addition
from talos.extensions.kernel_modules import LAYER_NAME, index_modules
from talos.extensions.manifest import Metadata
from talos.extensions.placement import Overlap, Placement, overlaps, place
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


class Packed(msgspec.Struct, frozen=True):
    """The layers as files, and where the rest of the extensions' files go."""

    layers: tuple[BuiltLayer, ...]
    placements: tuple[Placement, ...]

    @property
    def extensions_file(self) -> bytes:
        """Return extensions.yaml, byte for byte as Talos writes it."""
        return extensions_file.dump([ListedExtension(layer.image, layer.metadata) for layer in self.layers])


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
    with _workplace(output) as work:
        packed = pack(extensions, work, original=original, release=release, progress=progress)
        progress("assembling the initramfs")
        size = write_initramfs(packed, work, original, work / output.name, release)
        (work / output.name).rename(output)
        sync_directory(output.parent)
    return Built(packed.layers, overlaps([(each.extension_id, each.rootfs) for each in extensions], release), size)


def pack(
    extensions: Sequence[Extension],
    directory: Path,
    *,
    original: Path | None,
    release: Release,
    progress: Callable[[str], None],
    packed_before: Mapping[str, Path] = MappingProxyType({}),
) -> Packed:
    """Make the layers as squashfs images in `directory`; those of some extensions may be there from before, by id.

    Without an initramfs there is no kernel whose modules could be indexed. Raises as `build`.
    """
    placements = tuple(place(extension.rootfs, release) for extension in extensions)
    layers = []
    for extension, placement in zip(extensions, placements, strict=True):
        image = f"{extension.extension_id}{IMAGE_SUFFIX}"
        before = packed_before.get(extension.extension_id)
        if before is not None:
            os.link(before, directory / image)
        else:
            progress(f"packing {image}")
            write_squashfs(placement.layer, directory / image, compression=release.compression)
        layers.append(BuiltLayer(image, extension.metadata, (directory / image).stat().st_size))
    names = [extension.extension_id for extension in extensions]
    with tempfile.TemporaryDirectory(prefix=".modules.", dir=directory) as scratch:
        modules = list(zip(names, placements, strict=True))
        index = index_modules(original, modules, Path(scratch), release) if original is not None else None
        if index is not None:
            image = f"{LAYER_NAME}{IMAGE_SUFFIX}"
            progress(f"packing {image}")
            write_squashfs(index.tree, directory / image, compression=release.compression)
            layers.append(BuiltLayer(image, index.metadata, (directory / image).stat().st_size))
    return Packed(tuple(layers), placements)


def write_initramfs(packed: Packed, directory: Path, original: Path, target: Path, release: Release) -> int:
    """Write the initramfs with the layers in `directory` as a new file, and make it durable; return its size in bytes.

    Raises as `build`.
    """
    images = [directory / layer.image for layer in packed.layers]
    addition = Addition(packed.extensions_file, images, packed.placements)
    with target.open("xb") as file:
        initramfs.assemble(original, addition, file, compression=release.compression)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


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
