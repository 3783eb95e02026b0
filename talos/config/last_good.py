"""The last machine config that was good, kept so that a node which starts on a broken file still knows what to be.

It holds secrets.
"""

from __future__ import annotations

from pathlib import Path

from talos import private_file


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
    private_file.write(path, raw)
