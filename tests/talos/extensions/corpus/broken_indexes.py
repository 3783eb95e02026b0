"""Indexes that lead to no manifest for this machine, or to no manifest at all."""

import json
from pathlib import Path
from typing import Any

from talos.extensions.layout_writer import LayoutWriter
from tests.talos.extensions.archives import MANIFEST_TYPE
from tests.talos.extensions.corpus.broken_documents import (
    INDEX_TYPE,
    OTHER_MACHINE,
    REBUILD,
    TAMPERED,
    of_document,
    promised,
)
from tests.talos.extensions.corpus.kind import Document, Kind, write_document


def indexed(*entries: Document, **fields: Any) -> Document:
    """Return an index of these entries."""
    return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": list(entries), **fields}


def entry(os: str = "linux", architecture: str = "amd64", **fields: Any) -> Document:
    """Return an index's promise of a manifest."""
    platform = {"os": os, "architecture": architecture}
    return {**promised(2, MANIFEST_TYPE), "platform": platform, **fields}


def index_of_an_index(layout: Path) -> None:
    inner = LayoutWriter(layout).add(json.dumps(indexed()).encode(), INDEX_TYPE)
    write_document(layout, json.dumps(indexed(entry(digest=inner.digest, size=inner.size))).encode())


def manifest_promised_too_small(layout: Path) -> None:
    inner = LayoutWriter(layout).add(b"{}\n", MANIFEST_TYPE)
    write_document(layout, json.dumps(indexed(entry(digest=inner.digest))).encode())


def of_index(name: str, message: str, document: Document) -> Kind:
    """Return a kind that is this index."""
    return Kind(name, lambda layout: write_document(layout, json.dumps(document).encode()), message)


KINDS: tuple[Kind, ...] = (
    of_index("index of nothing", f"not built for linux/amd64, nor for any other platform; {OTHER_MACHINE}", indexed()),
    of_index(
        "index for other platforms",
        f"not built for linux/amd64, only for linux/arm64, windows/amd64; {OTHER_MACHINE}",
        indexed(entry(architecture="arm64"), entry(os="windows")),
    ),
    of_index(
        "index of attestations only",
        f"not built for linux/amd64, nor for any other platform; {OTHER_MACHINE}",
        indexed(entry("unknown", "unknown")),
    ),
    of_index(
        "index whose entry has no platform",
        f"not built for linux/amd64, nor for any other platform; {OTHER_MACHINE}",
        indexed(promised(2, MANIFEST_TYPE)),
    ),
    Kind(
        "index that promises a smaller manifest",
        manifest_promised_too_small,
        f"expected 2 bytes of sha256:… but got 3 bytes; {TAMPERED}",
    ),
    Kind("index of an index", index_of_an_index, f"an index points at another index; {REBUILD}"),
    of_index(
        "index of a manifest that is nowhere",
        "the layout LAYOUT has no image sha256:…; check the name and the tag [ImageNotFound]",
        indexed(entry()),
    ),
    of_document(
        "index of 1001 manifests", "the index lists 1001 manifests, at most 1000 are read", indexed(*[entry()] * 1001)
    ),
    of_document(
        "index that calls itself a manifest",
        f"an index calls itself {MANIFEST_TYPE}",
        indexed(mediaType=MANIFEST_TYPE),
    ),
    of_document(
        "index of a media type that nobody knows",
        "an index calls itself text/html",
        indexed(mediaType="text/html"),
    ),
    of_document("index of schema version 1", "the index has schemaVersion 1, not 2", indexed(schemaVersion=1)),
    of_document(
        "index whose platform is text",
        "the index cannot be read: Expected `object | null`, got `str` - at `$.manifests[0].platform`",
        indexed(entry(platform="linux/amd64")),
    ),
)
