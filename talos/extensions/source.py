"""What a pull needs of any place that holds images: small documents by tag or digest, and blobs from an offset on."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from talos.extensions.oci import Descriptor

CHUNK_BYTES = (
    1024 * 1024
)  # one hop to a worker thread for each: large enough not to count, small enough to show progress


class BlobStream(msgspec.Struct, frozen=True):
    """The bytes of a blob from `offset` on; that is 0 where a source cannot start in the middle."""

    offset: int
    chunks: AsyncIterator[bytes]


class Source(Protocol):
    """A place that holds images, or several to ask in turn. Every method raises PullError and nothing else."""

    @property
    def places(self) -> int:
        """Return how many are asked in turn."""
        ...

    async def document(self, selector: str) -> bytes:
        """Return the index or manifest that a tag or digest names, at most MAX_MANIFEST_BYTES of it."""
        ...

    async def referrers(self, digest: str) -> bytes | None:
        """Return an index of the manifests that refer to `digest`; None where the source keeps none itself."""
        ...

    def blob(self, descriptor: Descriptor, *, offset: int) -> AbstractAsyncContextManager[BlobStream]:
        """Open a blob, from `offset` on where the source can."""
        ...
