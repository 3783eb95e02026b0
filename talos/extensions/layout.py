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
from talos.extensions.pull_errors import DigestMismatch, ImageNotFound, LayoutMissing, MalformedImage, TooLarge
from talos.extensions.reference import is_digest
from talos.extensions.source import CHUNK_BYTES, BlobStream

MARKER = "oci-layout"
INDEX = "index.json"


class LayoutSource:
    """The images of one layout; `reference` is what messages call the image wanted."""

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
        file = await anyio.to_thread.run_sync(self._open, descriptor.digest)
        with file:
            file.seek(offset)
            yield BlobStream(offset, _chunks(file))

    def _document(self, selector: str) -> bytes:
        if not (self._directory / MARKER).is_file():
            problem = "is no OCI image layout" if self._directory.is_dir() else "does not exist"
            raise LayoutMissing(self._reference, str(self._directory), problem)
        digest = selector if is_digest(selector) else self._digest_of_tag(selector)
        with self._open(digest) as file:
            raw = self._bounded(file, digest)
        found = digest_of(raw, digest.partition(":")[0])
        if found != digest:
            raise DigestMismatch(self._reference, digest, found)
        return raw

    def _digest_of_tag(self, tag: str) -> str:
        try:
            with (self._directory / INDEX).open("rb") as file:
                index = oci.parse_index(self._bounded(file, INDEX))
        except OSError as error:
            problem = f"has no readable {INDEX} ({error.strerror})"
            raise LayoutMissing(self._reference, str(self._directory), problem) from error
        except oci.MalformedDocument as error:
            raise MalformedImage(self._reference, f"{self._directory / INDEX}: {error}") from error
        for descriptor in index.manifests:
            if descriptor.annotations.get(oci.REFERENCE_NAME) == tag:
                return descriptor.digest
        raise ImageNotFound(self._reference, f"the layout {self._directory}", tag)

    def _bounded(self, file: BinaryIO, name: str) -> bytes:
        raw = file.read(oci.MAX_MANIFEST_BYTES + 1)
        if len(raw) > oci.MAX_MANIFEST_BYTES:
            raise TooLarge(self._reference, f"the size of {name}", len(raw), oci.MAX_MANIFEST_BYTES)
        return raw

    def _open(self, digest: str) -> BinaryIO:
        path = self._directory / "blobs" / digest.replace(":", "/")
        try:
            # Without O_NONBLOCK a fifo laid there would hold the pull for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise ImageNotFound(self._reference, f"the layout {self._directory}", digest) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise MalformedImage(self._reference, f"{path} is no regular file")
        return os.fdopen(descriptor, "rb")


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await anyio.to_thread.run_sync(file.read, CHUNK_BYTES):
        yield chunk
