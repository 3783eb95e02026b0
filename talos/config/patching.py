"""Patches change a machine config: strategic merges, which look like what they change, and JSON patches, by paths.

A patch is what it looks like: a list is a JSON patch (RFC 6902), anything else documents to merge; both may be written
as YAML or as JSON. A document is merged into the one of its kind, version and name, or added behind all others where
there is none. As in Talos (pkg/machinery/config/configpatcher) JSON patches are for configs of one document only.

The result is YAML in Go's layout. A document that no patch changes stays as it was written, comments included; one
that is changed keeps its values, and loses its comments, anchors and layout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from talos import yaml_document, yaml_writer
from talos.config import json_patch
from talos.config.document import MAX_DOCUMENTS, V1ALPHA1, Document, identify
from talos.config.faults import ConfigError, ConfigFault
from talos.config.json_patch import Operation
from talos.config.machine_config import MAX_CONFIG_BYTES
from talos.config.patch_delete import Selector, deleted, split
from talos.config.strategic_merge import Unmergeable, merge
from talos.yaml_document import Stream
from talos.yaml_node import Node

_IDENTITY: Final = frozenset({"version", "apiVersion", "kind", "name"})


class DocumentPatch(msgspec.Struct, frozen=True):
    """What a strategic merge patch does to one document: first something goes, then the rest is merged."""

    target: Document
    rest: Node | None
    deletes: tuple[Selector, ...]


class Patch(msgspec.Struct, frozen=True):
    """A patch of either kind; `source` is what messages call it."""

    source: str
    documents: tuple[DocumentPatch, ...] = ()
    operations: tuple[Operation, ...] = ()


class _Part(msgspec.Struct, frozen=True):
    """A document of the config, and its text as long as nothing changed it."""

    root: Node
    text: str | None
    identity: tuple[str, str, str] | None = None


def load_patch(text: bytes, *, source: str) -> Patch:
    """Return a patch; raises ConfigError with every fault of the text."""
    stream = _read(text, source)
    documents = [root for root in stream.documents if root.kind != "null"]
    faults: list[ConfigFault] = []
    if not documents:
        raise ConfigError(source, (ConfigFault(1, "", "the patch is empty", "write a document, or a JSON patch"),))
    if len(documents) == 1 and documents[0].kind == "sequence":
        patch = Patch(source, operations=json_patch.read(documents[0], faults))
    else:
        found = (_document_patch(root, faults) for root in documents)
        patch = Patch(source, tuple(each for each in found if each is not None))
    if faults:
        raise ConfigError(source, tuple(faults))
    return patch


def apply(config: bytes, patches: Sequence[Patch], *, source: str) -> bytes:
    """Return a config with patches applied in their order; `source` is what messages call the config.

    The result is not checked: it may be a config that `machine_config.parse` refuses. Raises ConfigError, which names
    the config where that can't be read, and otherwise the patch.
    """
    parts = _parts(config, source)
    for patch in patches:
        faults: list[ConfigFault] = []
        if patch.operations:
            parts = _with_operations(parts, patch, faults)
        for document in patch.documents:
            parts = _with_document(parts, document, faults)
        if faults:
            raise ConfigError(patch.source, tuple(faults))
    return _joined(parts).encode()


def _read(text: bytes, source: str) -> Stream:
    stream = yaml_document.read(text, max_bytes=MAX_CONFIG_BYTES)
    if stream.faults:
        faults = (ConfigFault(fault.line, fault.path, fault.problem, fault.remedy) for fault in stream.faults)
        raise ConfigError(source, tuple(faults))
    if len(stream.documents) > MAX_DOCUMENTS:
        problem = f"{len(stream.documents)} documents, at most {MAX_DOCUMENTS} are allowed"
        raise ConfigError(source, (ConfigFault(1, "", problem, "remove some"),))
    return stream


def _document_patch(root: Node, faults: list[ConfigFault]) -> DocumentPatch | None:
    target = identify(root, "", faults)
    if target is None:
        return None
    rest, deletes = split(root, faults)
    if rest is not None and deletes and rest.fields.keys() <= _IDENTITY:
        rest = None
    if target.kind == V1ALPHA1 and any(not selector.steps for selector in deletes):
        faults.append(ConfigFault(root.line, "", "the machine config itself can't be deleted", "delete parts of it"))
    return DocumentPatch(target, rest, deletes)


def _parts(config: bytes, source: str) -> list[_Part]:
    faults: list[ConfigFault] = []
    stream = _read(config, source)
    parts = []
    for root, text in zip(stream.documents, stream.texts, strict=True):
        document = identify(root, "", faults) if root.kind != "null" else None
        parts.append(_Part(root, text, _identity(document) if document is not None else None))
    if faults:
        raise ConfigError(source, tuple(faults))
    return parts


def _identity(document: Document) -> tuple[str, str, str]:
    return document.kind, document.api_version, document.name


def _with_operations(parts: list[_Part], patch: Patch, faults: list[ConfigFault]) -> list[_Part]:
    present = [part for part in parts if part.identity is not None]
    line = patch.operations[0].line
    if len(present) != 1:
        problem = "JSON patches are for configs of one document only"
        faults.append(ConfigFault(line, "", f"{problem}, this one has {len(present)}", "write a strategic merge patch"))
        return parts
    changed = json_patch.apply(present[0].root, patch.operations, faults)
    if changed.kind != "mapping":
        faults.append(ConfigFault(line, "", f"the config would be {changed.kind_in_words}", "leave it a mapping"))
        return parts
    document = identify(changed, "", faults)
    identity = _identity(document) if document is not None else None
    return [_Part(changed, None, identity) if part is present[0] else part for part in parts]


def _with_document(parts: list[_Part], patch: DocumentPatch, faults: list[ConfigFault]) -> list[_Part]:
    identity = _identity(patch.target)
    place = next((place for place, part in enumerate(parts) if part.identity == identity), None)
    if place is None:
        # What is not there need not be taken away, nor be added for that.
        return parts if patch.rest is None else [*parts, _Part(patch.rest, None, identity)]
    if any(not selector.steps for selector in patch.deletes):
        return parts[:place] + parts[place + 1 :]
    changed = parts[place].root
    for selector in patch.deletes:
        changed = deleted(changed, selector, faults)
    if patch.rest is not None:
        try:
            changed = merge(changed, patch.rest, patch.target.kind)
        except Unmergeable as error:
            faults.append(error.fault)
    if changed is parts[place].root:
        return parts
    return [*parts[:place], _Part(changed, None, identity), *parts[place + 1 :]]


def _joined(parts: Sequence[_Part]) -> str:
    result = ""
    for part in parts:
        # A directive such as %YAML needs more than `---` before it: such a document is written anew.
        kept = part.text is not None and not (result and part.text.startswith("%"))
        text = part.text if kept and part.text is not None else yaml_writer.write(part.root)
        if result and not result.endswith("\n"):
            result += "\n"
        result += text if not result or text.startswith("---") else yaml_writer.SEPARATOR + text
    return result
