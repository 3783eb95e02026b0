"""A file for its owner alone, replaced as a whole: whenever a crash comes it holds the old bytes or the new ones.

A crash may leave a part of the new ones beside it, which the next `write` of the file takes away, or `tidy`.
"""

import contextlib
import os
from pathlib import Path

FILE_MODE = 0o600


def write(path: Path, content: bytes) -> None:
    """Put content into a file, new or there already. Raises OSError."""
    temporary = _temporary(path)
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    replace(temporary, path)


def replace(fresh: Path, path: Path) -> None:
    """Put one file in the place of another of the same directory, for good. Raises OSError."""
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def tidy(*paths: Path) -> None:
    """Remove what a crash left beside these files, secrets among it. One process at a time writes to a file."""
    for path in paths:
        # Where nothing can be removed nothing was left, or nothing can be done; neither keeps a node from starting.
        with contextlib.suppress(OSError):
            _temporary(path).unlink()


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")  # hidden: nobody's own file is called so
