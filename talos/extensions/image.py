"""A pulled image is a manifest and its layers in the store: all that inspecting and building need, offline."""

import msgspec

from talos.extensions import oci
from talos.extensions.blobs import BlobMissing, BlobStore


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that lies complete in a store."""

    manifest_digest: str
    config_digest: str
    platform: str  # such as linux/amd64
    layers: tuple[oci.Descriptor, ...]  # the lowest first

    @property
    def size(self) -> int:
        """Return the bytes of all layers as they are stored, compressed."""
        return sum(layer.size for layer in self.layers)

    @property
    def blobs(self) -> tuple[str, ...]:
        """Return the digests of everything the image needs, for `BlobStore.keep_only`."""
        return (self.manifest_digest, self.config_digest, *(layer.digest for layer in self.layers))


class PulledImage(Image, frozen=True, kw_only=True):
    """An image with the reference that led to it."""

    reference: str
    digest: str  # of what the reference named: an index or the manifest itself


def load_image(store: BlobStore, manifest_digest: str) -> Image:
    """Find an image pulled earlier.

    Raises BlobMissing where it, or a part of it, is no longer in the store; BlobCorrupt where it was changed there.
    """
    manifest = oci.parse_manifest(store.read(manifest_digest, max_bytes=oci.MAX_MANIFEST_BYTES))
    config = oci.parse_config(store.read(manifest.config.digest, max_bytes=oci.MAX_MANIFEST_BYTES))
    for layer in manifest.layers:
        if layer not in store:
            raise BlobMissing(layer.digest, store.directory)
    return Image(
        manifest_digest=manifest_digest,
        config_digest=manifest.config.digest,
        platform=str(config.platform or ""),
        layers=manifest.layers,
    )
