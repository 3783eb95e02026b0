"""Inspecting an image answers one question: may this node install it, and if not, why not, in full.

Blocks while it reads the layers: some hundred megabytes a second of them. Call it from a worker thread.
"""

from talos.extensions.blobs import BlobStore
from talos.extensions.faults import MAX_FAULTS
from talos.extensions.image import Image
from talos.extensions.layers import read_tree
from talos.extensions.rules import validate
from talos.extensions.tree import Layer, Tree
from talos.extensions.verdict import Verdict


def inspect(image: Image, store: BlobStore, *, talos_version: str) -> Verdict:
    """Judge a pulled image for a node of `talos_version`; whatever the image holds, the answer is a verdict.

    Raises OSError where the store cannot be read, and InvalidVersion where `talos_version` is no version.
    """
    return examine(image, store, talos_version=talos_version)[1]


def examine(image: Image, store: BlobStore, *, talos_version: str) -> tuple[Tree, Verdict]:
    """Return the image's files as well as the verdict; they are whole only where it passed. Raises as `inspect`."""
    tree, hostile = read_tree(image_layers(image, store))
    verdict = validate(tree, talos_version=talos_version)
    if any(not fault.path for fault in hostile):
        # A layer could not be read to its end: what seems to be missing may only not have come yet.
        return tree, Verdict(verdict.manifest, hostile)
    return tree, Verdict(verdict.manifest, (hostile + verdict.faults)[:MAX_FAULTS])


def image_layers(image: Image, store: BlobStore) -> tuple[Layer, ...]:
    """Return where an image's layers lie, the lowest first."""
    return tuple(Layer(layer.digest, store.path(layer.digest)) for layer in image.layers)
