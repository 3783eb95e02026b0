"""Where a program's plug-ins come from: what is installed, a directory, and what is named on its command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from cosi.plugins.loading import Plugin, load_directory, load_entry_points, load_reference


class Sources(msgspec.Struct, frozen=True):
    """References, a directory, and installed packages unless told otherwise."""

    references: Sequence[str] = ()
    directory: Path | None = None
    entry_points: bool = True

    def load(self) -> Sequence[Plugin]:
        """Load all of them. Raises OSError if the directory can't be listed."""
        return (
            *(load_entry_points() if self.entry_points else ()),
            *(load_directory(self.directory) if self.directory is not None else ()),
            *map(load_reference, self.references),
        )
