"""Columns are aligned by the rules of Go's text/tabwriter."""

import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.cli.output.tabwriter import PADDING_COLUMNS, TabWriter

CELLS = st.text(alphabet="ab é😀\t\n\f\v", max_size=4)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=6)


def written(*rows: list[str]) -> str:
    stream = io.StringIO()
    tabs = TabWriter(stream)
    for row in rows:
        tabs.row(row)
    tabs.flush()
    return stream.getvalue()


class Interrupted(io.StringIO):
    """A stream at which Ctrl-C is pressed as soon as all is written."""

    def flush(self) -> None:
        raise KeyboardInterrupt


def test_what_was_written_when_somebody_interrupts_is_not_written_again() -> None:
    stream = Interrupted()
    tabs = TabWriter(stream)
    tabs.row(["a", "b"])
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            tabs.flush()

    assert stream.getvalue() == "a   b\n"


def reference(text: str) -> str:
    """Align column by column: find the blocks of adjacent lines that have the column, and pad each block alone."""
    blocks = [[line.replace("\v", "\t").split("\t") for line in part.split("\n")] for part in text.split("\f")]
    return "\n".join(_aligned(block) for block in blocks)


def _aligned(lines: list[list[str]]) -> str:
    column = 0
    while any(len(line) - 1 > column for line in lines):
        for index, line in enumerate(lines):
            if len(line) - 1 <= column:
                continue
            first = last = index
            while first > 0 and len(lines[first - 1]) - 1 > column:
                first -= 1
            while last + 1 < len(lines) and len(lines[last + 1]) - 1 > column:
                last += 1
            width = max(len(other[column].rstrip("\0")) for other in lines[first : last + 1]) + PADDING_COLUMNS
            line[column] = line[column].ljust(width, "\0")
        column += 1
    return "\n".join("".join(line).replace("\0", " ") for line in lines)


@settings(max_examples=300, deadline=None)
@given(TABLES)
def test_any_table_is_aligned_as_by_the_rules(rows: list[list[str]]) -> None:
    text = "".join("\t".join(row) + "\n" for row in rows)

    assert written(*rows) == reference(text)


def test_a_shorter_line_begins_new_columns() -> None:
    assert written(["NODE", "ID"], ["a", "x"], ["note"], ["long name", "z"]) == (
        "NODE   ID\na      x\nnote\nlong name   z\n"
    )


def test_an_empty_column_still_has_its_padding() -> None:
    assert written(["", "x"], ["", "y"]) == "   x\n   y\n"


def test_a_line_of_very_many_cells_takes_linear_time() -> None:
    began = time.perf_counter()

    written(["\t" * 300_000], *[["x"]] * 1000)

    assert time.perf_counter() - began < 5
