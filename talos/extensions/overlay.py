"""What overlayfs shows of layers, the first on top, written down once for trees and once for directories on disk.

A file hides whatever lies below it at its path, a directory joins with the directories below it.
"""

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from talos.extensions.tar_stream import Kind
from talos.extensions.tree import Content, Entry, Layer, Tree, in_order

_READ_ONLY = 0o555


def overlay(trees: Sequence[Tree]) -> Tree:
    """Lay trees over each other. Pure."""
    merged: dict[str, Entry] = {}
    ended: set[str] = set()  # directories that a file of an upper layer keeps from joining with what is further below
    layers: list[Layer] = []
    for tree in trees:
        ending: set[str] = set()
        hidden: set[str] = set()
        for path, entry in tree.entries.items():
            above = path.rpartition("/")[0]
            if above in hidden or above in ended or ("/" in path and merged[above].kind is not Kind.DIRECTORY):
                hidden.add(path)
            elif path not in merged:
                merged[path] = _shifted(entry, len(layers))
            elif entry.kind is not Kind.DIRECTORY:
                ending.add(path)
        ended |= ending
        layers.extend(tree.layers)
    return Tree(in_order(merged), tuple(layers))


def merge(directories: Sequence[Path], target: Path) -> None:
    """Make `target`, which must not exist, show directories laid over each other; their files move there.

    What comes out may be written by nobody, and no file gives its user another's rights. No link is ever followed.
    Raises OSError.
    """
    target.mkdir(mode=0o700)
    _move_into(target, [directory for directory in directories if directory.is_dir()])


def _move_into(target: Path, sources: Sequence[Path]) -> None:
    """Fill an empty directory from directories, the first on top, and close it."""
    for source in sources:
        source.chmod(0o700)  # what is read-only gives nothing away
    stacks: dict[str, list[Path]] = {}
    for source in sources:
        for name in os.listdir(source):
            stacks.setdefault(name, []).append(source / name)
    for name, stack in sorted(stacks.items()):
        directories = list(itertools.takewhile(_is_directory, stack))
        if directories:
            (target / name).mkdir(mode=0o700)
            _move_into(target / name, directories)
        else:
            stack[0].rename(target / name)
            if not (target / name).is_symlink():
                (target / name).chmod((target / name).stat().st_mode & _READ_ONLY)
    target.chmod(_READ_ONLY)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _shifted(entry: Entry, by: int) -> Entry:
    if entry.content is None:
        return entry
    content = Content(entry.content.layer + by, entry.content.member)
    return Entry(entry.kind, entry.mode, entry.size, entry.link, content)
