"""extensions.yaml tells a booted node which extensions its boot image holds; Talos reads and writes the same format.

layers:
    - image: 000.ghcr.io-siderolabs-gvisor-v1.0.0.sqsh
      metadata:
        name: gvisor
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from talos import yaml_document, yaml_writer
from talos.extensions.manifest import Compatibility, Constraint, Metadata
from talos.yaml_node import Node

MAX_FILE_BYTES = 8 * 1024 * 1024  # a hundred extensions with manifests of the largest size
IMAGE_SUFFIX = ".sqsh"


class ListedExtension(msgspec.Struct, frozen=True):
    """An extension as extensions.yaml tells of it."""

    image: str  # the extension's id and `.sqsh`
    metadata: Metadata

    @property
    def extension_id(self) -> str:
        return self.image.removesuffix(IMAGE_SUFFIX)


def dump(extensions: Sequence[ListedExtension]) -> bytes:
    """Return the file for these extensions, the first on top."""
    layers = [{"image": extension.image, "metadata": _fields(extension.metadata)} for extension in extensions]
    return yaml_writer.write(yaml_writer.node_of({"layers": layers})).encode()


def parse(text: bytes) -> tuple[ListedExtension, ...] | None:
    """Read such a file; None where it is damaged."""
    stream = yaml_document.read(text, max_bytes=MAX_FILE_BYTES)
    if stream.faults or len(stream.documents) != 1 or "layers" not in stream.documents[0].fields:
        return None
    return tuple(_listed(node) for node in stream.documents[0].fields["layers"].items)


def _fields(metadata: Metadata) -> dict[str, Any]:
    fields = metadata.model_dump(by_alias=True)
    if not metadata.extra_info:
        del fields["extraInfo"]
    return fields


def _listed(node: Node) -> ListedExtension:
    metadata = node.fields.get("metadata", node)
    talos = metadata.fields.get("compatibility", node).fields.get("talos", node)
    return ListedExtension(
        _text(node, "image"),
        Metadata(
            name=_text(metadata, "name"),
            version=_text(metadata, "version"),
            author=_text(metadata, "author"),
            description=_text(metadata, "description"),
            compatibility=Compatibility(talos=Constraint(version=_text(talos, "version"))),
            extra_info=_text(metadata, "extraInfo"),
        ),
    )


def _text(node: Node, key: str) -> str:
    field = node.fields.get(key)
    return field.text if field is not None else ""
