"""A boot image is a directory with one archive for each extension, complete or not there at all.

    NAME/layers/<id>.tar        the extension's rootfs
    NAME/extensions.yaml        the extensions and their metadata, in Talos's format: what a booted node shows
    NAME/image.json             what the archives were made from, and their digests

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

from talos.extensions import extensions_file
from talos.extensions.blobs import BlobCorrupt, BlobMissing, BlobStore, sync_directory
from talos.extensions.extensions_file import IMAGE_SUFFIX, ListedExtension
from talos.extensions.faults import Fault
from talos.extensions.image import load_image
from talos.extensions.inspection import image_layers
from talos.extensions.layers import read_tree
from talos.extensions.manifest import Metadata
from talos.extensions.oci import MalformedDocument
from talos.extensions.tar_stream import TarFault
from talos.extensions.tar_writer import write_tree
from talos.extensions.tree import ROOTFS

EXTENSIONS_FILE = "extensions.yaml"
RECORD_FILE = "image.json"
LAYERS_DIRECTORY = "layers"
PARTIAL_SUFFIX = ".partial"

_ARCHIVE_SUFFIX = ".tar"
_FILE_MODE = 0o600
_EXTENSION_ID = re.compile(r"[0-9]{3,}\.[!-.0-~ ]+")  # printable, without a slash
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


class InstalledLayer(msgspec.Struct, frozen=True):
    """An extension in a boot image: what it was made from, and the digest of the archive it became."""

    extension_id: str
    image: str
    manifest_digest: str
    archive_digest: str


class BootImage(msgspec.Struct, frozen=True):
    """A complete boot image on disk; the first layer lies on top."""

    directory: Path
    layers: tuple[InstalledLayer, ...]

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def extensions_file(self) -> Path:
        return self.directory / EXTENSIONS_FILE

    def archive(self, layer: InstalledLayer) -> Path:
        """Return where the files of one of the layers lie."""
        return self.directory / LAYERS_DIRECTORY / f"{layer.extension_id}{_ARCHIVE_SUFFIX}"

    def is_made_of(self, layers: Sequence[BootLayer]) -> bool:
        """Tell whether building from these layers would make this image again."""
        mine = [(layer.extension_id, layer.image, layer.manifest_digest) for layer in self.layers]
        return mine == [(layer.extension_id, layer.image, layer.manifest_digest) for layer in layers]


def build(layers: Sequence[BootLayer], store: BlobStore, directory: Path) -> BootImage:
    """Build a boot image at `directory`, which must not exist. Blocks; a crash leaves a `.partial` beside it at most.

    Raises BootImageError where the place is taken, an image is not in the store, or it is not sound (see `faults`).
    """
    if os.path.lexists(directory):
        raise BootImageError(directory, "there is one of this name already", "choose another name")
    partial = directory.with_name(f".{directory.name}.{uuid.uuid4().hex}{PARTIAL_SUFFIX}")
    archives = partial / LAYERS_DIRECTORY
    archives.mkdir(parents=True, mode=0o700)
    try:
        installed = tuple(_install(layer, store, archives, directory) for layer in layers)
        listed = [ListedExtension(f"{layer.extension_id}{IMAGE_SUFFIX}", layer.metadata) for layer in layers]
        _write_durably(partial / EXTENSIONS_FILE, extensions_file.dump(listed))
        _write_durably(partial / RECORD_FILE, msgspec.json.encode(_Record(installed)))
        sync_directory(archives)
        sync_directory(partial)
        partial.rename(directory)
        sync_directory(directory.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return BootImage(directory, installed)


def load(directory: Path) -> BootImage:
    """Find a boot image built earlier. Raises BootImageError where it is missing or a part of it is."""
    try:
        record = msgspec.json.decode((directory / RECORD_FILE).read_bytes(), type=_Record)
    except OSError as error:
        problem = f"{RECORD_FILE} cannot be read ({error.strerror})"
        raise BootImageError(directory, problem, _INSTALL_AGAIN) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BootImageError(directory, f"{RECORD_FILE} is damaged", _INSTALL_AGAIN) from error
    image = BootImage(directory, record.layers)
    for layer in image.layers:
        if not _EXTENSION_ID.fullmatch(layer.extension_id) or not image.archive(layer).is_file():
            raise BootImageError(directory, f"the archive of {layer.extension_id} is missing", _INSTALL_AGAIN)
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


def _install(layer: BootLayer, store: BlobStore, archives: Path, directory: Path) -> InstalledLayer:
    """Write one extension's archive."""
    if not _EXTENSION_ID.fullmatch(layer.extension_id):
        raise BootImageError(directory, f"{layer.extension_id!r} is no extension id", "use `extension_id` to make one")
    path = archives / f"{layer.extension_id}{_ARCHIVE_SUFFIX}"
    try:
        tree, faults = read_tree(image_layers(load_image(store, layer.manifest_digest), store))
        if faults:
            problem = f"{layer.extension_id} is not sound ({faults[0]})"
            raise BootImageError(directory, problem, "remove the extension, or correct its image", faults)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _FILE_MODE)
        with os.fdopen(descriptor, "r+b") as file:
            write_tree(tree.below(ROOTFS), file)
            file.flush()
            os.fsync(file.fileno())
    except (BlobMissing, BlobCorrupt, MalformedDocument, TarFault) as error:
        problem = f"the image of {layer.extension_id} is not whole in the store ({error})"
        raise BootImageError(directory, problem, "pull it again") from error
    return InstalledLayer(layer.extension_id, layer.image, layer.manifest_digest, digest_of_file(path))


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
