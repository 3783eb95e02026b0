"""A directory of plain .py files, each of which is a module of its own that nobody else can import.

Only what this user or root has written runs: a file, a link to one or a directory that somebody else could have changed
is refused. What was judged is what runs: a file is opened once, and no compiled copy that lies beside it is looked at.
The files can't import each other, and can't be mistaken for a module of the same name; whoever has more than fits into
one file makes a package.
"""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

from cosi.plugins.contents import Unfit

MAX_FILES: Final = 256
MAX_FILE_BYTES: Final = 1 << 20
"""How much a directory of plug-ins may hold: it is for files that people write."""

_MODULE_PREFIX: Final = "cosi_plugin_"


def files_in(directory: Path) -> Sequence[Path]:
    """Return the .py files of a directory in the order of their names, without hidden ones. Raises Unfit, OSError."""
    status = directory.stat()
    _check_owner(status)
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        raise Unfit("everybody may write to it: chmod o-w")
    files = sorted(path for path in directory.iterdir() if path.suffix == ".py" and not path.name.startswith("."))
    if len(files) > MAX_FILES:
        raise Unfit(f"it holds {len(files)} plug-ins, {MAX_FILES} are the most: make packages of them")
    return files


def module_of(path: Path) -> ModuleType:
    """Run a file as a module. Raises Unfit, OSError, and whatever it raises itself."""
    # Every other character is spelt out, so that no two files share a name.
    stem = re.sub(r"\W", lambda match: f"_{ord(match[0]):x}_", path.stem)
    loader = _Source(path, _source_of(path))
    specification = importlib.util.spec_from_loader(f"{_MODULE_PREFIX}{stem}", loader, origin=str(path))
    assert specification is not None
    module = importlib.util.module_from_spec(specification)
    module.__file__ = str(path)
    # Dataclasses and annotations look their module up by its name.
    sys.modules[module.__name__] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


class _Source(InspectLoader):
    """A loader that has the source already."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path = path
        self._source = source

    def get_source(self, fullname: str) -> str:
        return importlib.util.decode_source(self._source)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, str(self._path))


def _source_of(path: Path) -> bytes:
    _check_owner(path.lstat())
    # Not to be kept waiting by a named pipe.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        check_status(os.fstat(descriptor))
        return file.read(MAX_FILE_BYTES)


def check_status(status: os.stat_result) -> None:
    """Raise Unfit unless it is a file of bearable size that only this user or root can have written."""
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("it is no plain file: remove it, or call it something else than .py")
    if status.st_size > MAX_FILE_BYTES:
        raise Unfit(f"it has {status.st_size} bytes, {MAX_FILE_BYTES} are the most: make it a package")
    _check_owner(status)
    if status.st_mode & stat.S_IWOTH:
        raise Unfit("everybody may write to it: chmod o-w")


def _check_owner(status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise Unfit("it belongs to another user, whose code does not run here: make a copy of your own")
