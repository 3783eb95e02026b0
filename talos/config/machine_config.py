"""A machine config is kept exactly as it was written; what this node acts on is understood, what it knows is checked.

The text may hold several documents (`talos.config.document`). The one without a kind is the v1alpha1 machine config;
each kind that is known is held against its model; the others belong to parts of Talos that this node does not run, and
pass untouched. Shape and fields as in Talos's reference.
"""

import msgspec

from talos import yaml_document
from talos.config import authority, extensions, registries, registry_documents
from talos.config.authority import ConfigAuthority
from talos.config.cursor import Cursor
from talos.config.document import V1ALPHA1, Document, documents
from talos.config.faults import ConfigError, ConfigFault
from talos.config.kinds import MODELS, check_document
from talos.config.v1alpha1 import check_v1alpha1
from talos.extensions.registries import Registries
from talos.yaml_node import Node

MAX_CONFIG_BYTES = (
    4 * 1024 * 1024
)  # Talos carries some 100 KiB of certificates and manifests at most; gRPC's default is 4 MiB

KNOWN_KINDS = frozenset((*MODELS, *registry_documents.KINDS))
"""The kinds of documents that are checked, beside the v1alpha1 document."""


class MachineConfig(msgspec.Struct, frozen=True):
    """A machine config: its text as given, its extensions' images in order, its registries, documents and authority."""

    raw: bytes
    extensions: tuple[str, ...] = ()
    registries: Registries = Registries()
    documents: tuple[Document, ...] = ()
    authority: ConfigAuthority = ConfigAuthority()

    def __repr__(self) -> str:
        return f"MachineConfig({len(self.raw)} bytes, {self.extensions!r}, {self.registries!r}, {self.documents!r})"


def parse(text: bytes, *, source: str) -> MachineConfig:
    """Check `text` and return it as a value; `source` is what messages call it, a file's name for example.

    Raises ConfigError with every fault of the text.
    """
    stream = yaml_document.read(text, max_bytes=MAX_CONFIG_BYTES)
    faults = [ConfigFault(fault.line, fault.path, fault.problem, fault.remedy) for fault in stream.faults]
    found = documents(stream, KNOWN_KINDS, faults)
    main = next((document.root for document in found if document.kind == V1ALPHA1), None)
    if main is None and not faults:
        problem = "the text holds no machine config"
        faults.append(ConfigFault(1, "", problem, "write a document with `version: v1alpha1` and `machine:`"))
    config = _understood(text, found, main, faults)
    if faults:
        raise ConfigError(source, tuple(faults))
    return config


def _understood(
    text: bytes, found: tuple[Document, ...], main: Node | None, faults: list[ConfigFault]
) -> MachineConfig:
    """Return what the documents say, as far as it can be understood."""
    if main is not None:
        check_v1alpha1(main, faults)
    for document in found:
        if document.known and document.kind in MODELS:
            check_document(document, main, faults)
    place = _place(main, ("machine", "install", "extensions"), faults)
    images = extensions.read(place) if place is not None else ()
    place = _place(main, ("machine", "registries"), faults)
    said = registries.read(place) if place is not None else Registries()
    said = registry_documents.with_documents(said, found, faults)
    place = _place(main, ("machine",), faults)
    trusted = authority.read(place) if place is not None else ConfigAuthority()
    return MachineConfig(text, images, said, found, trusted)


def _place(main: Node | None, keys: tuple[str, ...], faults: list[ConfigFault]) -> Cursor | None:
    """Return what lies at a path of the v1alpha1 document; None where there is nothing."""
    node, line = main, None
    for key in keys:
        line = node.key_lines.get(key) if node is not None else None
        node = node.get(key) if node is not None else None
    return Cursor(node, ".".join(keys), faults, line) if node is not None else None
