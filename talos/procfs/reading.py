"""Files of /proc and /sys are read whole, because they are made as they are read, and only as long as is sane."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MAX_BYTES: Final = 4 << 20
"""A machine with thousands of processors has megabytes of /proc/cpuinfo; talosctl takes 32 MiB for an answer."""


def read(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return a file's contents. Raises OSError; ValueError if there are more bytes than the limit."""
    data = head(path, limit + 1)
    if len(data) > limit:
        raise ValueError(f"more than {limit} bytes")
    return data


def head(path: Path, limit: int) -> bytes:
    """Return as much of a file as the limit allows. Raises OSError."""
    with path.open("rb") as file:
        return file.read(limit)


def text(data: bytes) -> str:
    """Return what a message can carry: what is no UTF-8, a name of a process for instance, is replaced."""
    return data.decode(errors="replace")
