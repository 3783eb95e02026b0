"""The shortest way from one list of lines to another: which stay, which go, which come (Myers' greedy algorithm).

It takes time in proportion to what changes, which is little between two configs of one machine. What differs in more
than MAX_CHANGES lines is given up on: all of it goes, and all of the other comes, which is as true and as readable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Literal

MAX_CHANGES: Final = 500
"""Lines that go and come: with 75,000 lines of the worst kind that is a second's work."""

Edit = tuple[Literal[" ", "-", "+"], str]


def edits(old: Sequence[str], new: Sequence[str]) -> list[Edit]:
    """Return the lines of both in order, each with what becomes of it; where some change, those that go come first."""
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    between: list[Edit] = []
    for _, run in groupby(_between(old[start : len(old) - end], new[start : len(new) - end]), _is_change):
        between += sorted(run, key=lambda edit: edit[0] == "+")
    return [*_all(" ", old[:start]), *between, *_all(" ", old[len(old) - end :])]


def _between(old: Sequence[str], new: Sequence[str]) -> list[Edit]:
    """Return the edits of two lists that differ at both ends."""
    trace = _trace(old, new) if old and new else None
    if trace is None:
        return [*_all("-", old), *_all("+", new)]
    backwards: list[Edit] = []
    x, y = len(old), len(new)
    for changes in range(len(trace) - 1, 0, -1):
        furthest = trace[changes - 1]
        diagonal = x - y
        downward = _goes_down(furthest, diagonal, changes)
        before_x = furthest[diagonal + 1] if downward else furthest[diagonal - 1]
        before_y = before_x - (diagonal + 1 if downward else diagonal - 1)
        turn_x = before_x if downward else before_x + 1
        backwards += _all(" ", old[turn_x:x][::-1])
        backwards.append(("+", new[before_y]) if downward else ("-", old[before_x]))
        x, y = before_x, before_y
    return [*_all(" ", old[:x]), *reversed(backwards)]


def _trace(old: Sequence[str], new: Sequence[str]) -> list[dict[int, int]] | None:
    """Return how far into `old` each diagonal gets with 0, 1, 2, … changes; None where they are too many."""
    furthest: dict[int, int] = {}
    trace: list[dict[int, int]] = []
    for changes in range(min(len(old) + len(new), MAX_CHANGES) + 1):
        reached = {}
        for diagonal in range(-changes, changes + 1, 2):
            if not changes:
                x = 0
            elif _goes_down(furthest, diagonal, changes):
                x = furthest[diagonal + 1]
            else:
                x = furthest[diagonal - 1] + 1
            while x < len(old) and x - diagonal < len(new) and old[x] == new[x - diagonal]:
                x += 1
            reached[diagonal] = x
            if x >= len(old) and x - diagonal >= len(new):
                return [*trace, reached]
        trace.append(reached)
        furthest = reached
    return None


def _goes_down(furthest: dict[int, int], diagonal: int, changes: int) -> bool:
    """Tell whether a diagonal is best reached by a line that comes, rather than by one that goes."""
    if diagonal in (-changes, changes):
        return diagonal == -changes
    return furthest[diagonal - 1] < furthest[diagonal + 1]


def _is_change(edit: Edit) -> bool:
    return edit[0] != " "


def _all(kind: Literal[" ", "-", "+"], lines: Sequence[str]) -> Iterator[Edit]:
    return ((kind, line) for line in lines)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """Return with how many equal lines both start."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
