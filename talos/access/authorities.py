"""A node's authorities: one is in force, and while it is being replaced there is a second beside it.

    ca.pem      in force: it signs the server's certificate
    next.pem    its successor: clients that it certified are let in already, and new talosconfigs trust both

`begin_rotation` makes the successor, `finish_rotation` puts it in force; what only the old one certified is locked out
from then on. Each file holds a certificate and its key, so that a crash leaves a pair or none.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Final

from talos import private_file
from talos.access.certificates import Authority, Pair

DIRECTORY_MODE: Final = 0o700
MAX_FILE_BYTES: Final = 64 * 1024

_BEGIN_KEY: Final = b"-----BEGIN PRIVATE KEY-----"


class RotationError(Exception):
    """The rotation is not at the step asked for."""


class Authorities:
    """The authorities kept in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._current = directory / "ca.pem"
        self._next = directory / "next.pem"

    def ensure(self, now: datetime.datetime) -> None:
        """Make the first authority where there is none. Raises OSError."""
        self.directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        if not self._current.exists():
            _write(self._current, Authority.create(now))

    @property
    def current(self) -> Authority:
        """The one in force. Raises OSError, ValueError naming the file."""
        return _read(self._current)

    @property
    def newest(self) -> Authority:
        """The one that certifies clients from now on. Raises OSError, ValueError naming the file."""
        return _read(self._next) if self._next.exists() else self.current

    @property
    def accepted(self) -> bytes:
        """Those that clients may be certified by, PEM. Raises OSError, ValueError naming the file."""
        certificates = {self.current.pair.certificate, self.newest.pair.certificate}
        return b"".join(sorted(certificates))

    def begin_rotation(self, now: datetime.datetime) -> None:
        """Put a successor beside the authority in force. Raises RotationError if there is one, OSError."""
        if self._next.exists():
            raise RotationError("a rotation is under way: hand out new talosconfigs, then finish it")
        _write(self._next, Authority.create(now))

    def finish_rotation(self) -> None:
        """Put the successor in force, and forget the old authority. Raises RotationError if there is none, OSError."""
        if not self._next.exists():
            raise RotationError("no rotation is under way: begin one first")
        private_file.replace(self._next, self._current)


def _write(path: Path, authority: Authority) -> None:
    private_file.write(path, authority.pair.certificate + authority.pair.key)


def _read(path: Path) -> Authority:
    with path.open("rb") as file:
        certificate, begin, key = file.read(MAX_FILE_BYTES).partition(_BEGIN_KEY)
    try:
        return Authority(Pair(certificate, begin + key))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no authority ({error}): put back a copy, or remove it for a new one") from None
