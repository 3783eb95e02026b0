"""The last machine config that was good, kept so that a node which starts on a broken file still knows what to be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

FILE_MODE: Final = 0o600
"""A machine config holds secrets."""


def load(path: Path) -> bytes | None:
    """Return the config that was kept, None if none was."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def keep(path: Path, raw: bytes) -> None:
    """Keep a config; after a crash at any moment the file holds the old one or the new one. Raises OSError."""
    if load(path) == raw:
        return
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
