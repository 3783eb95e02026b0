"""How much room files take: a directory's size is its own and that of all that is below it.

Fed with the entries of a listing, each directory before its files; told of a file when it comes, of a directory when
all that is below it has come. Sizes are those that a file says, as `stat` shows them, and a file with two names counts
twice. Faithful to what Talos does for `talosctl usage` (internal/app/machined/internal/server/v1alpha1).
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec

from talos.confined import Entry, listing, words


class Usage(msgspec.Struct):
    """The size of a file or directory in bytes, or why there is none; `depth` is 0 where the listing began."""

    path: str
    relative: str
    depth: int
    directory: bool = False
    size: int = 0
    error: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """What to leave out: files unless `files`, what is at `depth` or deeper unless it is 0, and sizes.

    What is smaller than `threshold` bytes is left out, or if that is negative what is larger than its amount.
    """

    depth: int = 0
    files: bool = False
    threshold: int = 0

    def __contains__(self, usage: Usage) -> bool:
        if usage.error:
            return True
        if 0 < self.depth <= usage.depth or not (usage.directory or self.files):
            return False
        return usage.size >= self.threshold if self.threshold > 0 else not 0 < -self.threshold < usage.size


def disk_usage_of(root: Path, path: str) -> Generator[Usage, None, None]:
    """Yield the usage of what a path below a root leads to; of one that leads nowhere, what is wrong with it.

    Closing the iterator closes all that it has open.
    """
    try:
        with closing(listing(root, path)) as entries:
            yield from disk_usage(entries)
    except OSError as error:
        yield Usage(path, path, 0, error=f"lstat {path}: {words(error)}")


def disk_usage(entries: Iterable[Entry]) -> Iterator[Usage]:
    """Yield the usage of each entry, a directory's after those of what is in it."""
    above: list[Usage] = []
    top = 0
    for number, entry in enumerate(entries):
        if number == 0:
            top = entry.path.count("/")  # Talos counts slashes: what is in / has as many as / itself
        while above and not _is_in(entry, above[-1]):
            yield _left(above)
        if entry.error:
            yield Usage(entry.path, entry.relative, 0, error=entry.error)
        if entry.status is None:
            continue
        directory = stat.S_ISDIR(entry.status.st_mode)
        usage = Usage(entry.path, entry.relative, entry.path.count("/") - top, directory, entry.status.st_size)
        if directory:
            above.append(usage)
        else:
            if above:
                above[-1].size += usage.size
            yield usage
    while above:
        yield _left(above)


def _is_in(entry: Entry, directory: Usage) -> bool:
    return entry.path.startswith(f"{directory.path.rstrip('/')}/")


def _left(above: list[Usage]) -> Usage:
    """Close the last directory: what it takes, the one above it takes as well."""
    usage = above.pop()
    if above:
        above[-1].size += usage.size
    return usage
