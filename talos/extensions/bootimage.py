"""A boot image is a directory with one squashfs image for each layer, complete or not there at all.

    NAME/layers/<id>.sqsh      an extension's files; firmware and base lie below them all
    NAME/initramfs             with all of it added, where the node was given one to add to
    NAME/extensions.yaml       the extensions and their metadata, in Talos's format: what a booted node shows
    NAME/image.json            what the layers were made from, and their digests

It is built beside its place, made durable and renamed into it. The same extensions make the same bytes.
"""

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from talos.extensions import extensions_file, imager, initramfs
from talos.extensions.blobs import BlobCorrupt, BlobMissing, BlobStore, sync_directory
from talos.extensions.extensions_file import IMAGE_SUFFIX, ListedExtension
from talos.extensions.faults import Fault
from talos.extensions.image import load_image
from talos.extensions.imager import Extension
from talos.extensions.initramfs import InitramfsError
from talos.extensions.inspection import image_layers
from talos.extensions.kernel_modules import ROOT_IMAGE
from talos.extensions.layers import read_tree
from talos.extensions.manifest import Metadata
from talos.extensions.oci import MalformedDocument
from talos.extensions.overlay import overlay
from talos.extensions.placement import overlaps
from talos.extensions.release import Release
from talos.extensions.squashfs import ToolError, write_squashfs
from talos.extensions.tar_stream import TarFault
from talos.extensions.tree import ROOTFS

EXTENSIONS_FILE = "extensions.yaml"
RECORD_FILE = "image.json"
LAYERS_DIRECTORY = "layers"
INITRAMFS_FILE = "initramfs"
PARTIAL_SUFFIX = ".partial"
MAX_WARNINGS = 20

_FIRMWARE_IMAGE = f"firmware{IMAGE_SUFFIX}"
_EXTENSION_ID = re.compile(r"[0-9]{3,}\.[!-.0-~ ]+")  # printable, without a slash
_FILE_NAME = re.compile(r"[!-.0-~ ]+")
_INSTALL_AGAIN = "boot the previous image, or install the extensions again"


class BootImageError(Exception):
    """A boot image cannot be built or cannot be used."""

    def __init__(self, directory: Path, problem: str, remedy: str, faults: tuple[Fault, ...] = ()) -> None:
        self.directory = directory
        self.problem = problem
        self.remedy = remedy
        self.faults = faults
        super().__init__(f"boot image {directory}: {problem}; {remedy}")


class BootLayer(msgspec.Struct, frozen=True):
    """An extension that is to go into a boot image; it is in the store and has passed inspection."""

    extension_id: str
    image: str  # the reference it was pulled by
    manifest_digest: str
    metadata: Metadata


class Recipe(msgspec.Struct, frozen=True):
    """What besides its extensions decides about a boot image: for which Talos, and the initramfs to add them to."""

    release: Release
    initramfs: Path | None = None

    @property
    def digest(self) -> str:
        """Return what changes when the result would."""
        original = digest_of_file(self.initramfs) if self.initramfs is not None else ""
        return f"v{self.release.version} {original}".rstrip()


class InstalledLayer(msgspec.Struct, frozen=True):
    """An extension in a boot image, and what it was made from."""

    extension_id: str
    image: str
    manifest_digest: str

    @property
    def file_name(self) -> str:
        return f"{self.extension_id}{IMAGE_SUFFIX}"


class StoredFile(msgspec.Struct, frozen=True):
    """One of the squashfs images, by its name below `layers`."""

    name: str
    digest: str


class BootImage(msgspec.Struct, frozen=True):
    """A complete boot image on disk. `layers` are its extensions, `files` all that is mounted, the first on top."""

    directory: Path
    layers: tuple[InstalledLayer, ...]
    files: tuple[StoredFile, ...]
    recipe: str
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def extensions_file(self) -> Path:
        return self.directory / EXTENSIONS_FILE

    def path(self, file: StoredFile) -> Path:
        """Return where one of the squashfs images lies."""
        return self.directory / LAYERS_DIRECTORY / file.name

    def is_made_of(self, layers: Sequence[BootLayer], recipe: Recipe) -> bool:
        """Tell whether building from these layers would make this image again."""
        mine = [(layer.extension_id, layer.image, layer.manifest_digest) for layer in self.layers]
        theirs = [(layer.extension_id, layer.image, layer.manifest_digest) for layer in layers]
        return mine == theirs and self.recipe == recipe.digest


def build(
    layers: Sequence[BootLayer], store: BlobStore, directory: Path, recipe: Recipe, *, before: BootImage | None = None
) -> BootImage:
    """Build a boot image at `directory`, which must not exist; what `before` has packed already is not packed again.

    Blocks; a crash leaves a `.partial` beside it at most. Raises BootImageError where the place is taken, an image is
    not in the store, or it is not sound (see `faults`), and OSError where the disk is full.
    """
    if os.path.lexists(directory):
        raise BootImageError(directory, "there is one of this name already", "choose another name")
    extensions = [_extension(layer, store, directory) for layer in layers]
    partial = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
    (partial / LAYERS_DIRECTORY).mkdir(parents=True, mode=0o700)
    try:
        files = _write_files(extensions, partial, recipe, _packed_before(layers, before, recipe))
        installed = tuple(InstalledLayer(each.extension_id, each.image, each.manifest_digest) for each in layers)
        hidden = overlaps([(each.extension_id, each.rootfs) for each in extensions], recipe.release)
        image = BootImage(directory, installed, files, recipe.digest, tuple(map(str, hidden[:MAX_WARNINGS])))
        record = _Record(image.layers, image.files, image.recipe, image.warnings)
        write_durably(partial / RECORD_FILE, msgspec.json.encode(record))
        sync_directory(partial / LAYERS_DIRECTORY)
        sync_directory(partial)
        partial.rename(directory)
        sync_directory(directory.parent)
    except (ToolError, TarFault, InitramfsError) as error:
        raise BootImageError(directory, f"it cannot be built ({error})", "then install again") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return image


def load(directory: Path) -> BootImage:
    """Find a boot image built earlier. Raises BootImageError where it is missing or a part of it is."""
    try:
        record = msgspec.json.decode((directory / RECORD_FILE).read_bytes(), type=_Record)
    except OSError as error:
        problem = f"{RECORD_FILE} cannot be read ({error.strerror})"
        raise BootImageError(directory, problem, _INSTALL_AGAIN) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BootImageError(directory, f"{RECORD_FILE} is damaged", _INSTALL_AGAIN) from error
    image = BootImage(directory, record.layers, record.files, record.recipe, record.warnings)
    for file in image.files:
        if not _FILE_NAME.fullmatch(file.name) or not image.path(file).is_file():
            raise BootImageError(directory, f"the layer {file.name} is missing", _INSTALL_AGAIN)
    if not image.extensions_file.is_file():
        raise BootImageError(directory, f"{EXTENSIONS_FILE} is missing", _INSTALL_AGAIN)
    return image


def read_extensions(path: Path) -> tuple[ListedExtension, ...]:
    """Return what an extensions.yaml lists; nothing where there is no such file. Raises BootImageError if damaged."""
    try:
        with path.open("rb") as file:
            listed = extensions_file.parse(file.read(extensions_file.MAX_FILE_BYTES + 1))
    except FileNotFoundError:
        return ()
    if listed is None:
        raise BootImageError(path.parent, f"{path.name} is damaged", _INSTALL_AGAIN)
    return listed


def digest_of_file(path: Path) -> str:
    """Return the sha256 digest of a file."""
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


class _Record(msgspec.Struct):
    layers: tuple[InstalledLayer, ...]
    files: tuple[StoredFile, ...]
    recipe: str
    warnings: tuple[str, ...]


def _extension(layer: BootLayer, store: BlobStore, directory: Path) -> Extension:
    """Read an extension's files from the store."""
    if not _EXTENSION_ID.fullmatch(layer.extension_id):
        raise BootImageError(directory, f"{layer.extension_id!r} is no extension id", "use `extension_id` to make one")
    try:
        tree, faults = read_tree(image_layers(load_image(store, layer.manifest_digest), store))
    except (BlobMissing, BlobCorrupt, MalformedDocument) as error:
        problem = f"the image of {layer.extension_id} is not whole in the store ({error})"
        raise BootImageError(directory, problem, "pull it again") from error
    if faults:
        problem = f"{layer.extension_id} is not sound ({faults[0]})"
        raise BootImageError(directory, problem, "remove the extension, or correct its image", faults)
    return Extension(layer.extension_id, layer.metadata, tree.below(ROOTFS))


def _packed_before(layers: Sequence[BootLayer], before: BootImage | None, recipe: Recipe) -> dict[str, Path]:
    """Return those layers that an image holds as they would be packed now, each where it lies."""
    if before is None or before.recipe != recipe.digest:
        return {}
    digests = {file.name: file.digest for file in before.files}
    made = {(layer.extension_id, layer.manifest_digest): layer.file_name for layer in before.layers}
    found = {}
    for layer in layers:
        name = made.get((layer.extension_id, layer.manifest_digest))
        if name in digests and digest_of_file(path := before.path(StoredFile(name, ""))) == digests[name]:
            found[layer.extension_id] = path
    return found


def _write_files(
    extensions: Sequence[Extension], target: Path, recipe: Recipe, packed_before: dict[str, Path]
) -> tuple[StoredFile, ...]:
    """Write all of an image but its record, durably; return the squashfs images, the topmost first."""
    directory, release, original = target / LAYERS_DIRECTORY, recipe.release, recipe.initramfs
    packed = imager.pack(
        extensions, directory, original=original, release=release, progress=_silent, packed_before=packed_before
    )
    write_durably(target / EXTENSIONS_FILE, packed.extensions_file)
    names = [layer.image for layer in packed.layers]
    # A booted Talos finds firmware in its initramfs, the later extension's first; here it is one more layer.
    firmware = overlay([placement.firmware for placement in reversed(packed.placements)])
    if firmware.entries:
        write_squashfs(firmware, directory / _FIRMWARE_IMAGE, compression=release.compression)
        names.append(_FIRMWARE_IMAGE)
    if original is not None:
        imager.write_initramfs(packed, directory, original, target / INITRAMFS_FILE, release)
        if initramfs.extract(original, ROOT_IMAGE, directory / ROOT_IMAGE):
            names.append(ROOT_IMAGE)
    for name in names:
        (directory / name).chmod(0o600)
        with (directory / name).open("rb") as file:
            os.fsync(file.fileno())
    return tuple(StoredFile(name, digest_of_file(directory / name)) for name in names)


def _silent(_: str) -> None:
    """Nobody watches a node pack."""


def write_durably(path: Path, content: bytes) -> None:
    """Write a new file that is there after a power cut. Raises OSError."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
