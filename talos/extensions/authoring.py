"""From a directory to an image: `manifest.yaml` and `rootfs/` become one reproducible layer in an OCI image layout.

Owners, times and the finer points of modes do not matter to an extension, so they are left out: 0755 for directories
and programs, 0644 for other files. The same directory makes the same digests on every machine with the same zlib.
"""

import gzip
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from talos.extensions import tar_writer
from talos.extensions.faults import MAX_FAULTS
from talos.extensions.layers import read_tree
from talos.extensions.layout_writer import LayoutWriter
from talos.extensions.manifest import VERSION as MANIFEST_VERSION
from talos.extensions.oci import Descriptor, Platform
from talos.extensions.rules import validate
from talos.extensions.tar_stream import Kind
from talos.extensions.tree import MANIFEST, ROOTFS, Entry, Layer
from talos.extensions.verdict import Verdict

DEFAULT_PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))

_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_COPY_BYTES = 1024 * 1024
_NEW_MANIFEST = """\
version: {version}
metadata:
  name: {name}
  version: v0.1.0
  author: ""
  description: ""
  compatibility:
    talos:
      version: ">= v1.5.0"
"""


class AuthoringError(Exception):
    """The directory cannot become an extension image."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}; {remedy}")


def build_image(
    directory: Path, layout: Path, tag: str, *, platforms: Sequence[Platform] = DEFAULT_PLATFORMS
) -> Descriptor:
    """Build the extension in `directory` for each platform, and name it `tag` in the layout; return its index.

    Whether the extension keeps the rules is not asked here: `judge` does that, and for images `inspect`.
    Raises AuthoringError where the directory lacks a part or holds something that no image can.
    """
    _check_parts(directory)
    writer = LayoutWriter(layout)
    layer, archive_digest = _write_layer(directory, writer)
    manifests = [_write_manifest(writer, layer, archive_digest, platform) for platform in platforms]
    index = {"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": manifests}
    descriptor = writer.add(_json(index), _INDEX_TYPE)
    writer.tag(descriptor, tag)
    return descriptor


def judge(directory: Path, *, talos_version: str) -> Verdict:
    """Judge the image that `build_image` would make. Raises AuthoringError as it does, and InvalidVersion."""
    _check_parts(directory)
    with tempfile.NamedTemporaryFile() as file:
        for piece in _archive(directory):
            file.write(piece)
        file.flush()
        tree, hostile = read_tree([Layer("", Path(file.name))])
        verdict = validate(tree, talos_version=talos_version)
        return Verdict(verdict.manifest, (hostile + verdict.faults)[:MAX_FAULTS])


def create(directory: Path, name: str) -> None:
    """Start an extension in a new directory. Raises AuthoringError where there is one already."""
    try:
        (directory / ROOTFS / "usr/local").mkdir(parents=True)
        with (directory / MANIFEST).open("x") as file:
            file.write(_NEW_MANIFEST.format(version=MANIFEST_VERSION, name=json.dumps(name)))
    except FileExistsError:
        raise AuthoringError(directory, "there is something already", "choose another directory") from None


def _check_parts(directory: Path) -> None:
    if not (directory / MANIFEST).is_file():
        raise AuthoringError(directory / MANIFEST, "missing", "describe the extension there")
    if not (directory / ROOTFS).is_dir():
        raise AuthoringError(directory / ROOTFS, "missing", "put the extension's files there")


def _write_layer(directory: Path, writer: LayoutWriter) -> tuple[Descriptor, str]:
    """Return the layer, and the digest of the archive inside it."""
    unpacked = hashlib.sha256()
    with writer.stream() as sink:
        with gzip.GzipFile(filename="", mode="wb", fileobj=sink.as_file(), mtime=0) as packed:
            for piece in _archive(directory):
                unpacked.update(piece)
                packed.write(piece)
        return sink.done(_LAYER_TYPE), f"sha256:{unpacked.hexdigest()}"


def _write_manifest(writer: LayoutWriter, layer: Descriptor, archive_digest: str, platform: Platform) -> Descriptor:
    root = {"type": "layers", "diff_ids": [archive_digest]}
    config = writer.add(_json({**_fields(platform), "config": {}, "rootfs": root}), _CONFIG_TYPE)
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST_TYPE, "config": config, "layers": [layer]}
    return writer.add(_json(manifest), _MANIFEST_TYPE, platform=platform)


def _archive(directory: Path) -> Iterator[bytes]:
    """Yield the pieces of the archive of everything that belongs to the extension."""
    for path in [directory / MANIFEST, directory / ROOTFS, *sorted(_below(directory / ROOTFS))]:
        entry = _entry(path)
        yield tar_writer.header(path.relative_to(directory).as_posix(), entry)
        if entry.kind is Kind.FILE:
            yield from _content(path, entry.size)
            yield bytes(tar_writer.padding(entry.size))
    yield tar_writer.end_of_archive()


def _below(directory: Path) -> Iterator[Path]:
    for parent, directories, files in os.walk(directory, followlinks=False):
        yield from (Path(parent) / name for name in (*directories, *files))


def _entry(path: Path) -> Entry:
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        return Entry(Kind.DIRECTORY, 0o755)
    if stat.S_ISLNK(status.st_mode):
        return Entry(Kind.SYMLINK, 0o777, link=os.readlink(path))
    if stat.S_ISREG(status.st_mode):
        return Entry(Kind.FILE, 0o755 if status.st_mode & 0o111 else 0o644, status.st_size)
    raise AuthoringError(path, "neither a file, a directory nor a link", "remove it")


def _content(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        copied = 0
        while piece := file.read(_COPY_BYTES):
            copied += len(piece)
            yield piece
    if copied != size:
        raise AuthoringError(path, "it changed while it was read", "build again")


def _fields(platform: Platform) -> dict[str, str]:
    fields = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
    return {key: value for key, value in fields.items() if value}


def _json(document: object) -> bytes:
    return msgspec.json.encode(document)
