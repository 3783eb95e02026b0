"""A kind of broken image: how it is made, and word for word what is said of it.

In a message `LAYOUT` stands for the image layout's directory, and `sha256:…` for any digest, since both are of no
interest. The lines of a message are the faults in their order; after each, in brackets, stands its rule, or the
error's class where the image could not be pulled at all.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from talos.extensions.layout_writer import LayoutWriter
from talos.extensions.oci import Descriptor
from tests.talos.extensions.archives import CONFIG_TYPE, LAYER_TYPE, MANIFEST, MANIFEST_TYPE
from tests.talos.extensions.corpus import raw_tar

TAG = "v1"
NODE = "v1.11.0"
"""The Talos of the node that the images are for."""
GOOD = raw_tar.file("manifest.yaml", MANIFEST) + raw_tar.directory("rootfs")
"""What stands at the start of an extension without faults."""

Document = dict[str, Any]


class Kind(msgspec.Struct, frozen=True):
    """One way to be broken; `write` makes the layout, with the image under `TAG`."""

    name: str
    write: Callable[[Path], object]
    message: str

    @property
    def slug(self) -> str:
        """Return the name as it may stand in a path."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.name.lower())

    @property
    def problem(self) -> str:
        """Return what is wrong first of all, without the remedy and the rule."""
        return self.message.partition("; ")[0]


def as_promised(message: str, layout: Path) -> str:
    """Return what was said of a layout as the corpus writes it."""
    return re.sub(r"(sha256|sha512)([:/])[0-9a-f]{64,128}", r"\1\2…", message.replace(str(layout), "LAYOUT"))


def of_layers(name: str, message: str, *layers: bytes | Callable[[], bytes]) -> Kind:
    """Return a kind whose layers are these bytes; large ones are made when they are wanted."""
    return Kind(
        name, lambda layout: write_image(layout, [each() if callable(each) else each for each in layers]), message
    )


def of_members(name: str, message: str, *members: bytes) -> Kind:
    """Return a kind whose one layer is an extension without faults up to these members."""
    return of_layers(name, message, extension(*members))


def extension(*members: bytes) -> bytes:
    """Return the layer of an extension that holds these members too."""
    return GOOD + b"".join(members) + raw_tar.END


def write_image(
    layout: Path,
    layers: Sequence[bytes] = (),
    *,
    config: bytes = b"",
    layer_type: str = LAYER_TYPE,
    change: Callable[[Document], object] = lambda _: None,
) -> Document:
    """Write an image of these layers, or of one without faults; `change` has the last say on its manifest.

    What is not given is another in every layout, since a store that has a blob already asks no layout for it.
    """
    writer = LayoutWriter(layout)
    config = config or json.dumps({"os": "linux", "architecture": "amd64", "author": layout.name}).encode()
    layers = layers or [extension(raw_tar.file(f"rootfs/usr/local/{layout.name}", b""))]
    document: Document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": promise(writer.add(config, CONFIG_TYPE)),
        "layers": [promise(writer.add(layer, layer_type)) for layer in layers],
    }
    change(document)
    write_document(layout, json.dumps(document).encode())
    return document


def write_document(layout: Path, raw: bytes) -> None:
    """Write these bytes as the manifest, or as the index, of the image."""
    writer = LayoutWriter(layout)
    writer.tag(writer.add(raw, MANIFEST_TYPE), TAG)


def promise(descriptor: Descriptor) -> Document:
    """Return a descriptor as a document holds it."""
    return {"mediaType": descriptor.media_type, "digest": descriptor.digest, "size": descriptor.size}


def blob_of(layout: Path, descriptor: Document) -> Path:
    """Return where a blob lies."""
    return layout / "blobs" / str(descriptor["digest"]).replace(":", "/")
