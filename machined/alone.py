"""A directory that one process owns: it holds the directory's lock for as long as it works there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

DIRECTORY_MODE: Final = 0o700


@contextmanager
def alone_in(directory: Path, *, what: str, option: str) -> Iterator[None]:
    """Hold a directory's lock, making it where it is missing; the kernel lets go of it however the process ends.

    Messages call us `what`, and tell to choose another directory with `option`. Raises OSError.
    """
    directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise OSError(f"another {what} is running on {directory}; stop it, or choose another {option}") from None
    try:
        yield
    finally:
        os.close(descriptor)
