"""The files of an image after its layers are laid over each other: an immutable map from path to entry.

A tree holds no file's bytes, only where they lie: in which layer, and in which member of its archive. Its entries are
sound by construction (only the layer reader makes trees): every parent of an entry is a directory, no path holds `..`,
and no link points out of the root it will live in.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from talos.extensions.tar_stream import Kind

ROOTFS = "rootfs"  # the directory of an extension image that becomes part of the node's root
MANIFEST = "manifest.yaml"


class Layer(msgspec.Struct, frozen=True):
    """An archive on disk, and what faults call it: a digest, or a file's name."""

    name: str
    path: Path


class Content(msgspec.Struct, frozen=True):
    """Where a file's bytes lie: the member with this number in the layer with this number, both from 0."""

    layer: int
    member: int


class Entry(msgspec.Struct, frozen=True):
    """A file, a directory or a symbolic link; hard links have become files that share their content."""

    kind: Kind
    mode: int
    size: int = 0
    link: str = ""
    content: Content | None = None


class Tree(msgspec.Struct, frozen=True):
    """All entries by path (without a leading slash), parents before their children, in one fixed order."""

    entries: Mapping[str, Entry]
    layers: tuple[Layer, ...]
    manifest: bytes | None = None  # the bytes of manifest.yaml, where the tree has one

    def below(self, directory: str) -> "Tree":
        """Return the tree under `directory`, with paths relative to it."""
        prefix = f"{directory}/"
        inside = {path.removeprefix(prefix): entry for path, entry in self.entries.items() if path.startswith(prefix)}
        return Tree(in_order(inside), self.layers)

    def top_level(self) -> Iterator[tuple[str, Entry]]:
        """Yield the entries that lie directly in the root."""
        return ((path, entry) for path, entry in self.entries.items() if "/" not in path)


def in_order(entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """Return a read-only view in the order of the paths' components, whatever order they came in."""
    return MappingProxyType({path: entries[path] for path in sorted(entries, key=lambda path: path.split("/"))})
