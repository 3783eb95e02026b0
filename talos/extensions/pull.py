"""Pulling brings an image from where its reference points into the store, and returns it only when all of it is there.

    reference ─▶ document ─┬─ index ─▶ the platform's manifest ─┐
                           └─ manifest ─────────────────────────┴─▶ configuration ─▶ layers, one after the other

Where a trust policy is given, it has its say between the manifests and the configuration: an image that it refuses
leaves nothing here but those. What is in the store already is not fetched again. A cut transfer is taken up where it
ended, first within this call and then by the next one. Cancelling is safe at any point. Nothing is decompressed here:
`inspect` looks inside.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import msgspec

from talos.extensions import oci
from talos.extensions.blobs import BlobCorrupt, BlobStore, BlobWriter, Hold, digest_of
from talos.extensions.credentials import Credentials
from talos.extensions.failover import FailoverSource
from talos.extensions.image import PulledImage
from talos.extensions.layout import LayoutSource
from talos.extensions.oci import Descriptor, Index, Manifest, Platform
from talos.extensions.pauses import Pauses
from talos.extensions.pull_errors import (
    DigestMismatch,
    MalformedImage,
    PlatformMissing,
    PullError,
    TooLarge,
)
from talos.extensions.reference import LayoutLocation, Reference
from talos.extensions.registries import Registries
from talos.extensions.source import Source

if TYPE_CHECKING:
    from talos.extensions.trust import TrustPolicy

DIRECTLY = Registries()
"""No mirrors, and nothing to know of any host: every registry is asked under its own name."""

MAX_STALLED_ATTEMPTS = 3  # connections in a row that end without a byte of progress, for each place there is
MAX_BLOB_SECONDS = 60 * 60  # a source that drips bytes keeps every timeout between two reads


class Progress(msgspec.Struct, frozen=True):
    """How far a pull is: bytes of layers that are in the store or on their way into it."""

    done_bytes: int
    total_bytes: int


async def pull(
    reference: Reference,
    store: BlobStore,
    *,
    platform: Platform,
    base_directory: Path,
    credentials: Credentials,
    progress: Callable[[Progress], None],
    held: Hold,
    registries: Registries = DIRECTLY,
    pauses: Pauses | None = None,
    trust: "TrustPolicy | None" = None,
) -> PulledImage:
    """Fetch an image, or find that it is here already; a relative layout path starts at `base_directory`.

    Its blobs are added to `held`, of `BlobStore.holding`, before they are in the store: nobody sweeps them up until
    the caller has noted that the image is here. Asks the source even when everything is in the store, because a
    tag may have moved. What one registry asked of one pull, others that share `pauses` keep to. What `trust` refuses is
    refused before its configuration and layers are fetched, and where they are in the store too. Raises PullError.
    """
    async with _source(reference, base_directory, credentials, registries, pauses or Pauses()) as source:

        async def check(digests: Sequence[str]) -> None:
            if trust is not None:
                # Cryptography takes a tenth of a second to load: who has no policy does not wait for it.
                from talos.extensions.signatures import ensure_trusted
                from talos.extensions.trust import repository_name

                name = repository_name(reference, base_directory)
                await ensure_trusted(reference, name, digests, source=source, policy=trust)

        return await _Pull(reference, source, store, held, platform).run(progress, check)


@asynccontextmanager
async def _source(
    reference: Reference, base_directory: Path, credentials: Credentials, registries: Registries, pauses: Pauses
) -> AsyncIterator[Source]:
    location = reference.location
    if isinstance(location, LayoutLocation):
        yield LayoutSource(base_directory / location.path, reference=reference.text)
        return
    connecting = FailoverSource.connect(
        location, reference=reference.text, registries=registries, credentials=credentials, pauses=pauses
    )
    async with connecting as source:
        yield source


class _Pull:
    """One pull: what it wants, from where, and into which store. `held` keeps garbage collection off its blobs."""

    def __init__(self, reference: Reference, source: Source, store: BlobStore, held: Hold, platform: Platform) -> None:
        self._reference = reference
        self._source = source
        self._store = store
        self._held = held
        self._platform = platform

    async def run(
        self, progress: Callable[[Progress], None], check: Callable[[Sequence[str]], Awaitable[None]]
    ) -> PulledImage:
        document, digest = await self._document(self._reference.selector, self._reference.digest)
        manifest, manifest_digest, built_for = document, digest, None
        if isinstance(document, Index):
            descriptor = _select(self._reference, document, self._platform)
            built_for = descriptor.platform
            manifest, manifest_digest = await self._document(descriptor.digest, descriptor.digest, descriptor.size)
        if not isinstance(manifest, Manifest):
            raise MalformedImage(self._reference.text, "an index points at another index")
        _check_sizes(self._reference, manifest)
        await check((digest, manifest_digest))
        await self._fetch(manifest.config, _ignore)
        # An index outranks the configuration, in which builders often leave their own platform.
        built_for = built_for or await self._configured_platform(manifest)
        await self._fetch_layers(manifest, progress)
        return PulledImage(
            reference=self._reference.text,
            digest=digest,
            manifest_digest=manifest_digest,
            config_digest=manifest.config.digest,
            platform=str(built_for),
            layers=manifest.layers,
        )

    async def _document(
        self, selector: str, promised: str | None, size: int | None = None
    ) -> tuple[Index | Manifest, str]:
        """Return an index or manifest and its digest, after putting it into the store."""
        raw = await self._source.document(selector)
        digest = digest_of(raw, promised.partition(":")[0] if promised else "sha256")
        if promised is not None and digest != promised:
            raise DigestMismatch(self._reference.text, promised, digest)
        if size is not None and len(raw) != size:
            raise DigestMismatch(self._reference.text, f"{size} bytes of {digest}", f"{len(raw)} bytes")
        try:
            document = oci.parse_document(raw)
        except oci.MalformedDocument as error:
            raise MalformedImage(self._reference.text, str(error)) from error
        await anyio.to_thread.run_sync(self._held.add, digest)
        await anyio.to_thread.run_sync(self._store.put, raw, digest)
        return document, digest

    async def _configured_platform(self, manifest: Manifest) -> Platform:
        """Return what the image says it is built for; the platform wanted where it is silent."""
        digest = manifest.config.digest
        try:
            config = oci.parse_config(
                await anyio.to_thread.run_sync(partial(self._store.read, digest, max_bytes=oci.MAX_MANIFEST_BYTES))
            )
        except oci.MalformedDocument as error:
            raise MalformedImage(self._reference.text, str(error)) from error
        if config.platform is not None and not self._platform.accepts(config.platform):
            raise PlatformMissing(self._reference.text, str(self._platform), (str(config.platform),))
        return config.platform or self._platform

    async def _fetch_layers(self, manifest: Manifest, progress: Callable[[Progress], None]) -> None:
        total = manifest.layer_bytes
        before = 0
        progress(Progress(0, total))
        for layer in manifest.layers:
            await self._fetch(layer, _Offset(progress, before, total))
            before += layer.size
            progress(Progress(before, total))

    async def _fetch(self, descriptor: Descriptor, progress: Callable[[int], None]) -> None:
        """Bring one blob into the store, unless it is there."""
        await anyio.to_thread.run_sync(self._held.add, descriptor.digest)
        if await anyio.to_thread.run_sync(self._store.__contains__, descriptor):
            return
        if not await self._fetched(descriptor, progress):
            # What an earlier run left may be what was wrong.
            await self._fetched(descriptor, progress)

    async def _fetched(self, descriptor: Descriptor, progress: Callable[[int], None]) -> bool:
        """Transfer one blob; False where that went on from a partial file, and the whole is not what was promised."""
        with ExitStack() as stack:
            # Taking up a partial file means hashing what is there: that may be long, so it is a thread's work.
            writer = await anyio.to_thread.run_sync(stack.enter_context, self._store.writer(descriptor))
            taken_up = writer.offset > 0
            try:
                with anyio.fail_after(MAX_BLOB_SECONDS):
                    await self._transfer(descriptor, writer, progress)
                await anyio.to_thread.run_sync(writer.commit)
            except BlobCorrupt as error:
                if taken_up:
                    return False
                raise DigestMismatch(self._reference.text, error.expected, error.found) from error
            except TimeoutError as error:
                what = f"the transfer of {descriptor.digest} in seconds"
                raise TooLarge(self._reference.text, what, MAX_BLOB_SECONDS + 1, MAX_BLOB_SECONDS) from error
        return True

    async def _transfer(self, descriptor: Descriptor, writer: BlobWriter, progress: Callable[[int], None]) -> None:
        """Write the blob's bytes, taking up again after a broken connection as long as there is progress."""
        stalled = 0
        while writer.offset < descriptor.size:
            reached = writer.offset
            try:
                async with self._source.blob(descriptor, offset=writer.offset) as stream:
                    if stream.offset != writer.offset:
                        await anyio.to_thread.run_sync(writer.restart)
                    async for chunk in stream.chunks:
                        await anyio.to_thread.run_sync(writer.write, chunk)
                        progress(writer.offset)
                return
            except PullError as error:
                stalled = 0 if writer.offset > reached else stalled + 1
                patient = stalled < MAX_STALLED_ATTEMPTS * self._source.places
                if not error.transient or error.retry_after is not None or not patient:
                    raise


class _Offset(msgspec.Struct):
    """Tells of one layer's bytes as a part of the image's."""

    progress: Callable[[Progress], None]
    before: int
    total: int

    def __call__(self, done: int) -> None:
        self.progress(Progress(self.before + done, self.total))


def _ignore(_: int) -> None:
    """Configurations are too small to tell of."""


def _select(reference: Reference, index: Index, wanted: Platform) -> Descriptor:
    descriptor = index.select(wanted)
    if descriptor is None:
        raise PlatformMissing(reference.text, str(wanted), index.platforms)
    return descriptor


def _check_sizes(reference: Reference, manifest: Manifest) -> None:
    if len(manifest.layers) > oci.MAX_LAYERS:
        raise TooLarge(reference.text, "the number of layers", len(manifest.layers), oci.MAX_LAYERS)
    if manifest.config.size > oci.MAX_MANIFEST_BYTES:
        raise TooLarge(reference.text, "the size of the configuration", manifest.config.size, oci.MAX_MANIFEST_BYTES)
    for layer in manifest.layers:
        if layer.size > oci.MAX_BLOB_BYTES:
            raise TooLarge(reference.text, f"the size of layer {layer.digest}", layer.size, oci.MAX_BLOB_BYTES)
    if manifest.layer_bytes > oci.MAX_IMAGE_BYTES:
        raise TooLarge(reference.text, "the size of all layers", manifest.layer_bytes, oci.MAX_IMAGE_BYTES)
