"""A node's authorities: one is in force, and others beside it may certify clients too.

    ca.pem         the node's own: it signs the server's certificate
    next.pem       its successor: clients that it certified are let in already, and new talosconfigs trust both
    given.pem      one that the machine config brings: in force instead of the node's own, as long as the config does
    accepted.pem   those whose clients the machine config lets in besides
    retired.pem    certificates of those that were in force: nobody gets in by them, but logins of theirs were to us

`begin_rotation` makes a successor, `finish_rotation` puts it in force; what only the old one certified is locked out
from then on. A file with a key holds its certificate too, so that a crash leaves a pair or none.
"""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Final

from talos import private_file
from talos.access.certificates import Authority, Pair, split

DIRECTORY_MODE: Final = 0o700
MAX_FILE_BYTES: Final = 2 * 1024 * 1024

MAX_RETIRED: Final = 16
"""A login that is older than so many authorities is taken for one to another node."""

_BEGIN_KEY: Final = b"-----BEGIN PRIVATE KEY-----"


class RotationError(Exception):
    """The rotation is not at the step asked for."""


class Authorities:
    """The authorities kept in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._own = directory / "ca.pem"
        self._next = directory / "next.pem"
        self._given = directory / "given.pem"
        self._accepted = directory / "accepted.pem"
        self._retired = directory / "retired.pem"

    def ensure(self, now: datetime.datetime) -> None:
        """Make the first authority where there is none, and take away what a crash left. Raises OSError."""
        self.directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        private_file.tidy(self._own, self._next, self._given, self._accepted, self._retired)
        if not self._own.exists():
            _write(self._own, Authority.create(now))

    @property
    def current(self) -> Authority:
        """The one in force. Raises OSError, ValueError naming the file."""
        return _read(self._given if self._given.exists() else self._own)

    @property
    def newest(self) -> Authority:
        """The one that certifies clients from now on. Raises OSError, ValueError naming the file."""
        return self.current if self._given.exists() or not self._next.exists() else _read(self._next)

    @property
    def accepted(self) -> bytes:
        """Those that clients may be certified by, PEM. Raises OSError, ValueError naming the file."""
        accepted = split(_content(self._accepted))
        return b"".join(sorted({self.current.pair.certificate, self.newest.pair.certificate, *accepted}))

    @property
    def known(self) -> bytes:
        """All there are, and were, PEM: a login that trusts one of them is to this node. Raises OSError."""
        files = (self._own, self._next, self._given, self._accepted, self._retired)
        return b"".join(each for file in files for each in split(_content(file)))

    def adopt(self, given: Pair | None, accepted: bytes, now: datetime.datetime) -> bool:
        """Put what a machine config brings in force, or take it back; tell whether that changed something.

        Raises OSError, ValueError for a pair that is no authority, or one that is over.
        """
        authority = None if given is None else Authority(given)
        if authority is not None:
            authority.require(now)
        wanted = None if authority is None else _written(authority)
        if _content(self._given) != (wanted or b""):
            self._retire(self._given)
        # The clients first: at no moment is somebody locked out whom both the old and the new config let in.
        others = _put(self._accepted, accepted or None)
        return _put(self._given, wanted) or others

    def begin_rotation(self, now: datetime.datetime) -> None:
        """Put a successor beside the authority in force. Raises RotationError if there is one, OSError."""
        if self._given.exists():
            raise RotationError("the authority comes from the machine config: replace machine.ca there, and list both"
                                " in machine.acceptedCAs meanwhile")  # fmt: skip
        if self._next.exists():
            raise RotationError("a rotation is under way: hand out new talosconfigs, then finish it")
        _write(self._next, Authority.create(now))

    def finish_rotation(self) -> None:
        """Put the successor in force, and forget the old authority. Raises RotationError if there is none, OSError."""
        if not self._next.exists():
            raise RotationError("no rotation is under way: begin one first")
        self._retire(self._own)
        private_file.replace(self._next, self._own)

    def _retire(self, path: Path) -> None:
        """Note whose logins were to this node, before that authority goes: its key goes for good."""
        known = split(_content(self._retired))
        retired = [each for each in split(_content(path)) if each not in known]
        if retired:
            private_file.write(self._retired, b"".join([*known, *retired][-MAX_RETIRED:]))


def _put(path: Path, content: bytes | None) -> bool:
    if _content(path) == (content or b""):
        return False
    if content is None:
        path.unlink(missing_ok=True)
    else:
        private_file.write(path, content)
    return True


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return b""


def _write(path: Path, authority: Authority) -> None:
    private_file.write(path, _written(authority))


def _written(authority: Authority) -> bytes:
    return authority.pair.certificate + authority.pair.key


def _read(path: Path) -> Authority:
    with path.open("rb") as file:
        certificate, begin, key = file.read(MAX_FILE_BYTES).partition(_BEGIN_KEY)
    try:
        return Authority(Pair(certificate, begin + key))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no authority ({error}): put back a copy, or remove it for a new one") from None
