"""A build whose result lies there already is not done again: what was built from what is remembered, by digests.

A record counts only while the output still has the digest it had then, so nothing is taken on trust.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from talos.extensions.bootimage import digest_of_file

MAX_RECORDS: Final = 100
MAX_RECORD_BYTES: Final = 1024 * 1024
"""A line for each layer and for each of the overlaps among them, thousands of them."""


class Report(msgspec.Struct, frozen=True):
    """What a build has to say."""

    warnings: Sequence[str]
    lines: Sequence[str]


class _Record(msgspec.Struct):
    output: str
    report: Report


class BuildRecords:
    """What earlier builds made, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, inputs: object, output: Path) -> Report | None:
        """Return what was said of a build from these inputs, where `output` is still exactly that. Raises OSError."""
        path = self._path(inputs)
        try:
            with path.open("rb") as file:
                record = msgspec.json.decode(file.read(MAX_RECORD_BYTES), type=_Record)
        except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return record.report if output.is_file() and digest_of_file(output) == record.output else None

    def add(self, inputs: object, output: Path, report: Report) -> None:
        """Remember what was built just now. Raises OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        self._path(inputs).write_bytes(msgspec.json.encode(_Record(digest_of_file(output), report)))
        by_age = sorted(self._directory.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in by_age[:-MAX_RECORDS]:
            path.unlink()

    def _path(self, inputs: object) -> Path:
        key = hashlib.sha256(msgspec.json.encode(inputs, order="deterministic")).hexdigest()
        return self._directory / f"{key}.json"
