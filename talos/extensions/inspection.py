"""Inspecting an image answers one question: may this node install it, and if not, why not, in full.

Blocks while it reads the layers: some hundred megabytes a second of them. Call it from a worker thread.
"""

from talos.extensions.blobs import BlobStore
from talos.extensions.faults import MAX_FAULTS
from talos.extensions.image import Image
from talos.extensions.layers import read_tree
from talos.extensions.rules import validate
from talos.extensions.tree import Layer
from talos.extensions.verdict import Verdict


def inspect(image: Image, store: BlobStore, *, talos_version: str) -> Verdict:
    """Judge a pulled image for a node of `talos_version`; whatever the image holds, the answer is a verdict.

    Raises OSError where the store cannot be read, and InvalidVersion where `talos_version` is no version.
    """
    tree, hostile = read_tree(image_layers(image, store))
    verdict = validate(tree, talos_version=talos_version)
    if any(not fault.path for fault in hostile):
        # A layer could not be read to its end: what seems to be missing may only not have come yet.
        return Verdict(verdict.manifest, hostile)
    return Verdict(verdict.manifest, (hostile + verdict.faults)[:MAX_FAULTS])


def image_layers(image: Image, store: BlobStore) -> tuple[Layer, ...]:
    """Return where an image's layers lie, the lowest first."""
    return tuple(Layer(layer.digest, store.path(layer.digest)) for layer in image.layers)
