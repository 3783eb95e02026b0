"""Writing an OCI image layout: blobs first, each under its digest, and last of all the index that makes them seen.

A tag that is set anew moves; all others stay. The same images make the same bytes, whatever order they came in.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from talos.extensions import oci
from talos.extensions.blobs import digest_of
from talos.extensions.layout import INDEX, MARKER, VERSION
from talos.extensions.oci import Descriptor, Index, LayoutMarker, Platform

_MARKER_CONTENT = msgspec.json.encode(LayoutMarker(VERSION))
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


class LayoutWriter:
    """A layout that is open for writing; it is created where it does not exist."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._blobs = directory / "blobs" / "sha256"
        self._blobs.mkdir(parents=True, exist_ok=True)
        _replace(directory / MARKER, _MARKER_CONTENT)

    def add(self, content: bytes, media_type: str, *, platform: Platform | None = None) -> Descriptor:
        """Store a blob."""
        digest = digest_of(content)
        _replace(self._blobs / digest.removeprefix("sha256:"), content)
        return Descriptor(media_type, digest, len(content), platform)

    @contextlib.contextmanager
    def stream(self) -> Iterator["BlobSink"]:
        """Store a blob whose bytes come in pieces; call `done` for its descriptor."""
        path = self._blobs / f".{uuid.uuid4().hex}"
        try:
            with path.open("xb") as file:
                yield BlobSink(file, path)
        finally:
            path.unlink(missing_ok=True)

    def tag(self, descriptor: Descriptor, tag: str) -> None:
        """Give an image a name in this layout. Raises MalformedDocument where the index there cannot be read."""
        path = self._directory / INDEX
        others = oci.parse_index(path.read_bytes()).manifests if path.exists() else ()
        kept = [other for other in others if other.annotations.get(oci.REFERENCE_NAME) != tag]
        named = msgspec.structs.replace(descriptor, annotations={oci.REFERENCE_NAME: tag})
        ordered = sorted([*kept, named], key=lambda each: (each.annotations.get(oci.REFERENCE_NAME, ""), each.digest))
        _replace(path, msgspec.json.encode(Index(2, tuple(ordered), _INDEX_TYPE)))


class BlobSink:
    """Takes the pieces of one blob."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, piece: bytes) -> int:
        self._file.write(piece)
        self._hash.update(piece)
        self._size += len(piece)
        return len(piece)

    def flush(self) -> None:
        self._file.flush()

    def done(self, media_type: str) -> Descriptor:
        """Put the blob into its place."""
        self._file.flush()
        self._path.rename(self._path.with_name(self._hash.hexdigest()))
        return Descriptor(media_type, f"sha256:{self._hash.hexdigest()}", self._size)

    def as_file(self) -> BinaryIO:
        """Return this as what a compressor writes to; it is written to and never read."""
        return cast(BinaryIO, self)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    fresh.write_bytes(content)
    os.replace(fresh, path)
