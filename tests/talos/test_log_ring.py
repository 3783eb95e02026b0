"""The log keeps the newest lines within its bytes, tells each reader exactly what it missed, and looks as Talos's."""

import re

import hypothesis
import pytest
from hypothesis import strategies

from talos.log_ring import (
    LINE_OVERHEAD_BYTES,
    LINES_AT_A_TIME,
    MAX_LINE_CHARACTERS,
    Line,
    LogRing,
    as_controller_runtime,
    as_dmesg,
    as_machined,
    text_of,
)

MOMENT_NS = 1_795_898_408_120_456_700
"""2026-11-28T20:40:08.1204567Z"""


def line(text: str, *, by_controller: bool = False, level: str = "info") -> Line:
    return Line(MOMENT_NS, level, by_controller, text)


def ring_of(*texts: str, lines: int = 1000) -> LogRing:
    """A ring with room for so many lines of ten characters."""
    ring = LogRing(lines * (LINE_OVERHEAD_BYTES + 10))
    for text in texts:
        ring.append(line(text))
    return ring


@hypothesis.given(
    strategies.lists(strategies.integers(0, 40), max_size=60), strategies.integers(1, 8), strategies.data()
)
def test_a_reader_gets_every_line_or_is_told_how_many_it_missed(
    lengths: list[int], capacity: int, data: strategies.DataObject
) -> None:
    ring = ring_of(lines=capacity)
    said: list[Line] = []
    position, read, lost = 0, 0, 0
    for length in lengths:
        said.append(line("x" * length))
        ring.append(said[-1])
        if data.draw(strategies.booleans()):
            reading = ring.read(position)
            lost += reading.lost
            read += len(reading.lines)
            assert list(reading.lines) == said[position + reading.lost : reading.position]
            position = reading.position

    assert read + lost == position
    kept = said[ring.begin :]
    assert sum(LINE_OVERHEAD_BYTES + len(each.text) for each in kept) <= capacity * (LINE_OVERHEAD_BYTES + 10)


def test_a_line_that_is_larger_than_the_ring_leaves_nothing_behind() -> None:
    ring = ring_of("a", "b" * 1000, lines=1)

    assert (ring.begin, ring.end) == (2, 2)


def test_a_reader_is_given_only_so_much_at_once() -> None:
    ring = ring_of(*map(str, range(LINES_AT_A_TIME + 1)))

    first = ring.read(0)

    assert len(first.lines) == LINES_AT_A_TIME
    assert [each.text for each in ring.read(first.position).lines] == [str(LINES_AT_A_TIME)]


@pytest.mark.parametrize(
    ("count", "expected"), [(0, []), (1, ["c3"]), (2, ["c2", "c3"]), (9, ["c1", "c2", "c3"]), (-1, [])]
)
def test_the_last_lines_are_counted_among_the_wanted(count: int, expected: list[str]) -> None:
    ring = LogRing()
    for text in ("c1", "m1", "c2", "m2", "c3", "m3"):
        ring.append(line(text, by_controller=text.startswith("c")))

    position = ring.last(count, lambda each: each.by_controller)

    assert [each.text for each in ring.read(position).lines if each.by_controller] == expected


def test_a_line_looks_as_in_the_logs_of_talos() -> None:
    said = line("node is running socket=/run/cosi.sock")

    assert as_dmesg(said) == (
        "user:    info: [2026-11-28T20:40:08.1204567Z]: [talos] node is running socket=/run/cosi.sock\n"
    )
    assert as_machined(said) == "2026/11/28 20:40:08.120456 node is running socket=/run/cosi.sock\n"
    assert as_controller_runtime(said) == "2026-11-28T20:40:08.120Z INFO node is running socket=/run/cosi.sock\n"


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "debug"), ("warning", "warning"), ("error", "err"), ("critical", "crit")]
)
def test_levels_have_the_kernels_names(level: str, priority: str) -> None:
    assert as_dmesg(line("x", level=level)).startswith(f"user: {priority:>7}: [")


def test_a_time_without_a_fraction_has_none() -> None:
    assert "[2026-11-28T20:40:08Z]" in as_dmesg(Line(1_795_898_408_000_000_000, "info", False, "x"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [("plain", "plain"), (3, "3"), ("two words", '"two words"'), ("", '""'), ('a"b', r'"a\"b"'), ("a=b", '"a=b"')],
)
def test_values_are_quoted_where_they_must_be(value: object, shown: str) -> None:
    assert text_of("said", {"key": value}) == f"said key={shown}"


@hypothesis.given(strategies.text(), strategies.dictionaries(strategies.text(), strategies.text(), max_size=3))
def test_a_line_is_one_line_and_moves_no_cursor(said: str, facts: dict[str, str]) -> None:
    assert text_of(said, facts).isprintable()


def test_an_escape_sequence_is_shown_and_not_sent() -> None:
    assert text_of("\x1b[2J", {"image": "a\nb\x9b"}) == r'\x1b[2J image="a\nb\x9b"'


def test_a_long_line_is_cut() -> None:
    cut = text_of("x" * 5000, {})

    assert len(cut) == MAX_LINE_CHARACTERS
    assert re.fullmatch("x+…", cut)
