"""Files below a directory and nowhere else: paths are walked one name at a time, and every link is read as from there.

    /a/b/../c     root ─▶ a ─▶ b ─▶ (back to a) ─▶ c          each step is opened in the directory before it
    a link        its target is walked in its place: from the root if it is absolute
    ..            goes back to the directory that we came from, never above the root
    a/            at the end says that it is a directory, as a/. does

What is opened is a handle on what the name meant at that moment (O_PATH), which opens no device and waits for no pipe.
So nothing that is moved, replaced or linked meanwhile leads out; there is no path for the kernel to resolve anew.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

MAX_LINKS: Final = 40
"""Links followed on one way; the kernel's own number."""

MAX_NAMES: Final = 512
"""Names on one way, those of the links included: each is a file descriptor while it is walked."""

MAX_DEPTH: Final = 128
"""Directories below each other that a listing goes down; deeper ones are listed and not entered."""

MAX_ENTRIES: Final = 100_000
"""Entries of one directory; there is no more room for a larger one."""

_MAX_PATH_CHARACTERS: Final = 4096
_SHOWN_CHARACTERS: Final = 200
_HANDLE: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Found(msgspec.Struct, frozen=True):
    """What a path leads to: a handle (O_PATH) that lasts as long as the body, and the path without links."""

    handle: int
    path: str
    status: os.stat_result

    def open(self) -> int:
        """Open a regular file or directory for reading; the caller closes it. Raises OSError."""
        kind = os.O_DIRECTORY if stat.S_ISDIR(self.status.st_mode) else 0
        if not kind and not stat.S_ISREG(self.status.st_mode):
            raise _error(errno.EINVAL, self.path)
        return os.open(f"/proc/self/fd/{self.handle}", os.O_RDONLY | os.O_CLOEXEC | kind)


class Entry(msgspec.Struct, frozen=True):
    """A file in a listing: its path, the way to it from where the listing began, and what was wrong with it."""

    path: str
    relative: str
    status: os.stat_result | None = None
    link: str = ""
    error: str = ""


@contextmanager
def found(root: Path, path: str) -> Iterator[Found]:
    """Yield what a path below a root leads to. Raises OSError."""
    with _Way(root) as way:
        names = _names(path)
        links = 0
        while names:
            name = names.pop()
            if name == "..":
                way.back()
                continue
            if name == ".":
                way.stay()
                continue
            target = way.go(name)
            if target is None:
                continue
            links += 1
            if links > MAX_LINKS:
                raise _error(errno.ELOOP, path)
            if target.startswith("/"):
                way.back_to_root()
            names += _names(target)
            if len(names) + way.length > MAX_NAMES:
                raise _error(errno.ENAMETOOLONG, path)
        yield Found(way.handle, way.path, os.fstat(way.handle))


def listing(root: Path, path: str, *, depth: int | None = None) -> Generator[Entry, None, None]:
    """Yield what a path below a root leads to, and what lies below it, each directory before its files, by name.

    How many levels are listed is counted as Talos counts them: 0 is one, as 1 is, 2 is two, and each but 0 is one more
    where the listing begins at the top, as Talos counts slashes; None is all of them, down to MAX_DEPTH. What can't be
    read is an entry with an error. Raises OSError if the path leads nowhere. Closing the iterator closes all that is
    open.
    """
    with found(root, path) as start:
        path = _shown(start.path)
        name = "." if stat.S_ISDIR(start.status.st_mode) else path.rpartition("/")[2]
        yield from _listed(Entry(path, name, start.status), start.handle, _entered(path, depth))


def _entered(path: str, depth: int | None) -> int:
    """Return how many directories below each other a listing of a path enters."""
    if depth is None:
        return MAX_DEPTH
    return min(depth if path == "/" else max(depth - 1, 0), MAX_DEPTH)


def _listed(entry: Entry, handle: int, depth: int) -> Iterator[Entry]:
    """Yield an entry, and what lies below it; directories in it are entered if the depth is at least 1."""
    if entry.status is None or not stat.S_ISDIR(entry.status.st_mode) or depth < 0:
        yield entry
        return
    try:
        directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=handle)
    except OSError as error:
        yield msgspec.structs.replace(entry, error=f"open {entry.path}: {words(error)}")
        return
    try:
        names, problem = _entries(directory, entry.path)
        yield msgspec.structs.replace(entry, error=problem)
        for name in names:
            yield from _child(entry, directory, name, depth - 1)
    finally:
        os.close(directory)


def _child(parent: Entry, directory: int, name: str, depth: int) -> Iterator[Entry]:
    shown = _shown(name)
    path = f"{parent.path.rstrip('/')}/{shown}"
    relative = shown if parent.relative == "." else f"{parent.relative}/{shown}"
    try:
        handle = os.open(name, _HANDLE, dir_fd=directory)
    except OSError as error:
        yield Entry(path, relative, error=f"lstat {path}: {words(error)}")
        return
    try:
        status = os.fstat(handle)
        link = os.readlink("", dir_fd=handle) if stat.S_ISLNK(status.st_mode) else ""
        yield from _listed(Entry(path, relative, status, _shown(link)), handle, depth)
    finally:
        os.close(handle)


def _entries(directory: int, path: str) -> tuple[list[str], str]:
    """Return the names in a directory, and what is wrong with it."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in islice(entries, MAX_ENTRIES + 1)]
    except OSError as error:
        return [], f"readdirent {path}: {words(error)}"
    if len(names) > MAX_ENTRIES:
        return [], f"more than {MAX_ENTRIES} entries"
    return sorted(names), ""


class _Way:
    """The directories from the root to where we are, as handles; the last one may be a file."""

    def __init__(self, root: Path) -> None:
        self._steps = [(os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), "")]

    @property
    def handle(self) -> int:
        return self._steps[-1][0]

    @property
    def path(self) -> str:
        return "/" + "/".join(name for _, name in self._steps[1:])

    @property
    def length(self) -> int:
        return len(self._steps)

    def go(self, name: str) -> str | None:
        """Take a step; where the name is a link, take none and return its target. Raises OSError."""
        handle = os.open(name, _HANDLE, dir_fd=self.handle)
        try:
            target = os.readlink("", dir_fd=handle) if stat.S_ISLNK(os.fstat(handle).st_mode) else None
        except BaseException:
            os.close(handle)
            raise
        if target is None:
            self._steps.append((handle, name))
        else:
            os.close(handle)
        return target

    def stay(self) -> None:
        if not stat.S_ISDIR(os.fstat(self.handle).st_mode):
            raise _error(errno.ENOTDIR, self.path)

    def back(self) -> None:
        self.stay()
        if len(self._steps) > 1:
            os.close(self._steps.pop()[0])

    def back_to_root(self) -> None:
        while len(self._steps) > 1:
            os.close(self._steps.pop()[0])

    def __enter__(self) -> _Way:
        return self

    def __exit__(self, *_: object) -> None:
        for handle, _name in self._steps:
            os.close(handle)


def _names(path: str) -> list[str]:
    """Return the names of a path, the first one last. Raises OSError if there are too many, or one can't be."""
    parts = path.split("/")
    names = [name for name in parts if name not in ("", ".")]
    if names and parts[-1] in ("", "."):
        names.append(".")
    if len(names) > MAX_NAMES or len(path) > _MAX_PATH_CHARACTERS:
        raise _error(errno.ENAMETOOLONG, path[:_SHOWN_CHARACTERS])
    if "\0" in path:
        raise _error(errno.EINVAL, path[:_SHOWN_CHARACTERS])
    return names[::-1]


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)


def _shown(name: str) -> str:
    """Return a name as text; a name is any bytes, and those that are no UTF-8 are marked."""
    return os.fsencode(name).decode(errors="replace")


def words(error: OSError) -> str:
    """Return what is wrong as Go says it."""
    return (error.strerror or str(error)).lower()
