"""The corpus of broken images: every kind there is, by its name."""

from tests.talos.extensions.corpus import (
    broken_archives,
    broken_documents,
    broken_indexes,
    broken_layouts,
    broken_manifests,
    broken_names,
    broken_packing,
)
from tests.talos.extensions.corpus.kind import Kind

_ALL = (
    *broken_layouts.KINDS,
    *broken_documents.KINDS,
    *broken_indexes.KINDS,
    *broken_packing.KINDS,
    *broken_archives.KINDS,
    *broken_names.KINDS,
    *broken_manifests.KINDS,
)

CORPUS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
assert len({kind.slug for kind in _ALL}) == len(_ALL), "two kinds have one name"
