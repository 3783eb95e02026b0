"""Text in aligned columns, by the rules of Go's text/tabwriter.

A cell ends at a tab, so the last cell of a line belongs to no column and is not padded. A column is a run of adjacent
lines that have the cell; a line without it, or a flush, ends the run, and the next run finds its own width.

    NODE   ID         a column of three lines, then a line of one cell,
    a      x
    bbbb   y
    note
    c   z             so here a new column begins
"""

import re
from collections.abc import Sequence
from typing import TextIO

__all__ = ["TabWriter"]

PADDING_COLUMNS = 3

_LINE_END = re.compile("[\n\f]")
_CELL_END = re.compile("[\t\v]")


class TabWriter:
    """Holds lines back until `flush`, then writes them aligned; every character counts as one column wide."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines: list[list[str]] = []

    def row(self, cells: Sequence[str]) -> None:
        """Add a line; tabs and line breaks inside a cell end cells and lines as anywhere else."""
        line = "\t".join(cells)
        if _LINE_END.search(line) is None:
            self._lines.append(_CELL_END.split(line))
            return
        for part, end in zip(re.split(_LINE_END, line), [*_LINE_END.findall(line), "\n"], strict=True):
            self._lines.append(_CELL_END.split(part))
            if end == "\f":
                self.flush()

    def flush(self) -> None:
        """Write all lines and begin new columns."""
        # Taken first: who is interrupted while they are written, and flushes once more, writes none of them twice.
        lines, self._lines = self._lines, []
        for line, columns in zip(lines, _columns(lines), strict=True):
            padded = [cell.ljust(column.width) for cell, column in zip(line, columns, strict=False)]
            self._stream.write("".join([*padded, line[-1]]) + "\n")
        self._stream.flush()


class _Column:
    __slots__ = ("width",)

    def __init__(self) -> None:
        self.width = 0


def _columns(lines: list[list[str]]) -> list[list[_Column]]:
    """Return for each line the columns that its cells but the last belong to, in time linear in the cells."""
    open_columns: list[_Column] = []
    columns: list[list[_Column]] = []
    for line in lines:
        del open_columns[len(line) - 1 :]
        open_columns += [_Column() for _ in range(len(line) - 1 - len(open_columns))]
        for cell, column in zip(line, open_columns, strict=False):
            column.width = max(column.width, len(cell) + PADDING_COLUMNS)
        columns.append(list(open_columns))
    return columns
