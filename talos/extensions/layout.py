"""An OCI image layout is a directory: `index.json` maps tags to digests, `blobs/` holds the bytes.

Source: opencontainers/image-spec, image-layout.md. A tag is the annotation `org.opencontainers.image.ref.name`.
"""

import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from talos.extensions import oci
from talos.extensions.blobs import digest_of
from talos.extensions.oci import Descriptor
from talos.extensions.pull_errors import (
    DigestMismatch,
    ImageNotFound,
    LayoutMissing,
    MalformedImage,
    PullError,
    TooLarge,
)
from talos.extensions.reference import is_digest
from talos.extensions.source import CHUNK_BYTES, BlobStream

MARKER = "oci-layout"
INDEX = "index.json"
VERSION = "1.0.0"


class LayoutSource:
    """The images of one layout; `reference` is what messages call the image wanted."""

    places = 1

    def __init__(self, directory: Path, *, reference: str) -> None:
        self._directory = directory
        self._reference = reference

    async def document(self, selector: str) -> bytes:
        """Return the index or manifest that a tag or digest names."""
        return await anyio.to_thread.run_sync(self._document, selector)

    async def referrers(self, digest: str) -> None:
        """Return None: in a layout, what refers to an image is found by the tag that is made of its digest."""

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int) -> AsyncIterator[BlobStream]:
        """Open a blob at `offset`."""
        missing = MalformedImage(self._reference, f"{self._directory} lacks the blob {descriptor.digest}")
        file = await anyio.to_thread.run_sync(self._open, descriptor.digest, missing)
        with file:
            file.seek(offset)
            yield BlobStream(offset, _chunks(file))

    def _document(self, selector: str) -> bytes:
        self._check_marker()
        digest = selector if is_digest(selector) else self._digest_of_tag(selector)
        with self._open(digest, ImageNotFound(self._reference, f"the layout {self._directory}", digest)) as file:
            raw = self._bounded(file, digest)
        found = digest_of(raw, digest.partition(":")[0])
        if found != digest:
            raise DigestMismatch(self._reference, digest, found)
        return raw

    def _check_marker(self) -> None:
        problem = ""
        if not (self._directory / MARKER).is_file():
            beside = "is no directory" if self._directory.exists() else "does not exist"
            problem = "is no OCI image layout" if self._directory.is_dir() else beside
        else:
            with self._regular(self._directory / MARKER) as file:
                raw = self._bounded(file, MARKER)
            try:
                version = oci.parse_marker(raw).image_layout_version
            except oci.MalformedDocument:
                problem = f"has an {MARKER} that cannot be read"
            else:
                if version != VERSION:
                    problem = f"is an OCI image layout of version {version[:100]!r}, only {VERSION} is known"
        if problem:
            raise LayoutMissing(self._reference, str(self._directory), problem)

    def _digest_of_tag(self, tag: str) -> str:
        try:
            with self._regular(self._directory / INDEX) as file:
                index = oci.parse_index(self._bounded(file, INDEX))
        except OSError as error:
            problem = f"has no readable {INDEX} ({error.strerror})"
            raise LayoutMissing(self._reference, str(self._directory), problem) from error
        except oci.MalformedDocument as error:
            raise MalformedImage(self._reference, f"{self._directory / INDEX}: {error}") from error
        found = {each.digest for each in index.manifests if each.annotations.get(oci.REFERENCE_NAME) == tag}
        if not found:
            raise ImageNotFound(self._reference, f"the layout {self._directory}", tag)
        if len(found) > 1:
            raise MalformedImage(self._reference, f"{self._directory / INDEX}: the tag {tag} names two images")
        return found.pop()

    def _bounded(self, file: BinaryIO, name: str) -> bytes:
        raw = file.read(oci.MAX_MANIFEST_BYTES + 1)
        if len(raw) > oci.MAX_MANIFEST_BYTES:
            size = max(len(raw), os.fstat(file.fileno()).st_size)
            raise TooLarge(self._reference, f"the size of {name}", size, oci.MAX_MANIFEST_BYTES)
        return raw

    def _open(self, digest: str, missing: PullError) -> BinaryIO:
        try:
            return self._regular(self._directory / "blobs" / digest.replace(":", "/"))
        except OSError as error:
            raise missing from error

    def _regular(self, path: Path) -> BinaryIO:
        # Without O_NONBLOCK a fifo laid there would hold the pull for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise MalformedImage(self._reference, f"{path} is no regular file")
        return os.fdopen(descriptor, "rb")


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await anyio.to_thread.run_sync(file.read, CHUNK_BYTES):
        yield chunk
