"""A machine config is a stream of documents; each is known by its kind and, where a kind may come twice, by its name.

The document without a kind is the machine config of old, `v1alpha1`. As in Talos no two documents may have the same
kind and name; unlike there, kinds that are not known are no fault, since they belong to parts of Talos that this node
does not run: they are kept, and listed as what they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Final

import msgspec

from talos.config.faults import ConfigFault
from talos.yaml_document import Stream
from talos.yaml_node import Node

V1ALPHA1: Final = "v1alpha1"
"""The version of every document so far, and the kind of the one that has none."""
MAX_DOCUMENTS: Final = 500
"""Each is listed by itself; a machine with many disks, links and routes has some dozens."""
MAX_NAME_CHARACTERS: Final = 256
"""Of a kind and of a name: the longest names are hosts, of 253."""

_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


class Document(msgspec.Struct, frozen=True):
    """A document as it was written, and what it calls itself."""

    kind: str
    api_version: str  # empty for the v1alpha1 document, as in Talos
    name: str  # empty where it has none
    line: int  # where it starts, counted from 1
    known: bool  # whether its kind is checked; anything may be in one that is not
    text: bytes  # as written, from its `---` on
    root: Node

    @property
    def label(self) -> str:
        """Return how messages call it: nothing for the v1alpha1 document, whose paths start at its root."""
        if self.kind == V1ALPHA1:
            return ""
        return f"{self.kind}[{json.dumps(self.name, ensure_ascii=False)}]" if self.name else self.kind

    def __repr__(self) -> str:
        return f"Document({self.kind!r}, {self.name!r}, line {self.line}, {len(self.text)} bytes)"


def documents(stream: Stream, known: Collection[str], faults: list[ConfigFault]) -> tuple[Document, ...]:
    """Return the documents of a text, empty ones left out; what keeps one from being told apart is noted."""
    found: dict[tuple[str, str], Document] = {}
    if len(stream.documents) > MAX_DOCUMENTS:
        problem = f"{len(stream.documents)} documents, at most {MAX_DOCUMENTS} are allowed"
        faults.append(ConfigFault(1, "", problem, "remove some"))
        return ()
    for root, text in zip(stream.documents, stream.texts, strict=False):
        if root.kind == "null":
            continue
        document = identify(root, text, faults, known=known)
        if document is None:
            continue
        first = found.setdefault((document.kind, document.name), document)
        if first is not document:
            faults.append(_duplicate(document, first))
    return tuple(found.values())


def identify(root: Node, text: str, faults: list[ConfigFault], *, known: Collection[str] = ()) -> Document | None:
    """Return a document by what it calls itself; None after noting what keeps it from being told apart."""
    if root.kind != "mapping":
        problem = f"the document is {root.kind_in_words}, not a mapping"
        faults.append(ConfigFault(root.line, "", problem, "start it with `version: v1alpha1`"))
        return None
    if "kind" not in root.fields:
        if "apiVersion" in root.fields:
            faults.append(ConfigFault(root.line, "kind", "missing beside apiVersion", "add `kind: …`"))
            return None
        return Document(V1ALPHA1, "", "", root.line, True, text.encode(), root)
    if root.get("apiVersion") is None:
        faults.append(ConfigFault(root.line, "apiVersion", "missing beside kind", "add `apiVersion: v1alpha1`"))
        return None
    kind, version = (_word(root, key, faults) for key in ("kind", "apiVersion"))
    if not kind or not version:
        return None
    # Some kinds that this node does not know have a name that is no text.
    named = root.get("name")
    name = named.text if named is not None and named.kind == "scalar" else ""
    if len(name) > MAX_NAME_CHARACTERS:
        faults.append(_too_long(root, "name", name))
        return None
    understood = kind in known and version == V1ALPHA1
    return Document(kind, version, name, root.line, understood, text.encode(), root)


def _word(root: Node, key: str, faults: list[ConfigFault]) -> str:
    """Return what a document says of itself under a key; empty after noting why it says nothing."""
    node = root.fields[key]
    if node.kind != "scalar" or not node.text.strip():
        problem = f"this is {node.kind_in_words if node.kind != 'scalar' else 'empty'}"
        faults.append(ConfigFault(root.key_lines.get(key, root.line), key, problem, "write a word here"))
        return ""
    if len(node.text) > MAX_NAME_CHARACTERS:
        faults.append(_too_long(root, key, node.text))
        return ""
    if key == "kind" and not _KIND.fullmatch(node.text):
        faults.append(ConfigFault(root.key_lines.get(key, root.line), key, "this is no kind", "write one word here"))
        return ""
    return node.text


def _too_long(root: Node, key: str, text: str) -> ConfigFault:
    problem = f"{len(text)} characters, at most {MAX_NAME_CHARACTERS} are allowed"
    return ConfigFault(root.key_lines.get(key, root.line), key, problem, "shorten it")


def _duplicate(document: Document, first: Document) -> ConfigFault:
    if document.kind == V1ALPHA1:
        problem = f"a second machine config, the first starts on line {first.line}"
        return ConfigFault(document.line, "", problem, "keep one of them, or give this document a kind")
    problem = (
        f"a second document of this kind{' and name' if first.name else ''}, the first starts on line {first.line}"
    )
    return ConfigFault(document.line, document.label, problem, "keep one of them")
