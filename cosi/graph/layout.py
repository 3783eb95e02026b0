"""Where the boxes of a graph go: in columns from left to right, so that what is read stands left of who reads it.

    1. Edges that would lead back to the left are turned around while columns are chosen: cycles are common, because
       controllers look back at what they have written.
    2. Each box goes one column right of the last that leads to it; an edge over several columns passes each at a point
       of its own, so that it goes around the boxes in between.
    3. Each column is sorted by where its neighbours stand, from the left and from the right in turn, which untangles
       most crossings.

Pure and deterministic, after Sugiyama, Tagawa and Toda. Effort grows with the number of edges times the columns they
cross; sweeps are bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

SWEEPS: Final = 12
"""How often columns are sorted; more changes next to nothing."""

Node = Hashable
Point = tuple[float, float]


class Size(NamedTuple):
    """Of a box, in pixels."""

    width: float
    height: float


class Placement(NamedTuple):
    """The centres of boxes, the points that edges pass (ends included, in the order given), and the whole size."""

    centres: Mapping[str, Point]
    paths: Sequence[Sequence[Point]]
    size: Size


class _Bend(NamedTuple):
    """Where an edge passes a column."""

    edge: int
    column: int


def place(
    sizes: Mapping[str, Size],
    edges: Sequence[tuple[str, str]],
    feedback: Sequence[bool],
    *,
    column_gap: float,
    row_gap: float,
) -> Placement:
    """Place boxes by name; `feedback` marks edges that do not say what comes before what."""
    forward = _acyclic(list(sizes), edges, feedback)
    columns = _columns(list(sizes), forward)
    chains = [_chain(index, edge, columns) for index, edge in enumerate(forward)]
    ordered = _ordered(list(sizes), columns, chains)
    return _positions(sizes, ordered, chains, edges, forward, column_gap, row_gap)


def _acyclic(
    names: Sequence[str], edges: Sequence[tuple[str, str]], feedback: Sequence[bool]
) -> Sequence[tuple[str, str]]:
    """Return the edges with those turned around that would close a cycle."""
    leads: dict[str, set[str]] = {name: set() for name in names}
    turned = list(edges)
    # Feedback last: the other edges decide where left is.
    for index in sorted(range(len(edges)), key=lambda index: (feedback[index], index)):
        source, target = edges[index]
        if source == target or _reaches(leads, target, source):
            turned[index] = (target, source)
        leads[turned[index][0]].add(turned[index][1])
    return turned


def _reaches(leads: Mapping[str, set[str]], start: str, goal: str) -> bool:
    waiting, seen = [start], {start}
    while waiting:
        name = waiting.pop()
        if name == goal:
            return True
        new = leads[name] - seen
        seen |= new
        waiting.extend(new)
    return False


def _columns(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> Mapping[str, int]:
    """Return each box's column: one right of the last that leads to it."""
    into: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        if source != target:
            into[target].append(source)
    columns: dict[str, int] = {}
    # Without recursion: a chain may be longer than Python's stack.
    for name in names:
        waiting = [name]
        while waiting:
            here = waiting[-1]
            unknown = [source for source in into[here] if source not in columns]
            if unknown:
                waiting.extend(unknown)
            else:
                columns[here] = max((columns[source] + 1 for source in into[here]), default=0)
                waiting.pop()
    return columns


def _chain(index: int, edge: tuple[str, str], columns: Mapping[str, int]) -> Sequence[Node]:
    source, target = edge
    bends = [_Bend(index, column) for column in range(columns[source] + 1, columns[target])]
    return [source, *bends, target]


def _ordered(names: Sequence[str], columns: Mapping[str, int], chains: Sequence[Sequence[Node]]) -> list[list[Node]]:
    """Return the columns, each from top to bottom."""
    ordered: dict[int, list[Node]] = defaultdict(list)
    for name in names:
        ordered[columns[name]].append(name)
    left: dict[Node, list[Node]] = defaultdict(list)
    right: dict[Node, list[Node]] = defaultdict(list)
    for chain in chains:
        for node in chain[1:-1]:
            assert isinstance(node, _Bend)
            ordered[node.column].append(node)
        for one, other in pairwise(chain):
            right[one].append(other)
            left[other].append(one)
    result = [ordered[column] for column in range(len(ordered))]
    for sweep in range(SWEEPS):
        neighbours = left if sweep % 2 == 0 else right
        position = {node: row for column in result for row, node in enumerate(column)}
        for column in result if sweep % 2 == 0 else reversed(result):
            column.sort(key=lambda node: _mean(neighbours[node], position))
            position.update({node: row for row, node in enumerate(column)})
    return result


def _mean(neighbours: Sequence[Node], position: Mapping[Node, int]) -> float:
    # One without neighbours on this side goes to the end; sorting is stable, so ties keep their order.
    return sum(position[node] for node in neighbours) / len(neighbours) if neighbours else len(position)


def _positions(
    sizes: Mapping[str, Size],
    ordered: Sequence[Sequence[Node]],
    chains: Sequence[Sequence[Node]],
    edges: Sequence[tuple[str, str]],
    forward: Sequence[tuple[str, str]],
    column_gap: float,
    row_gap: float,
) -> Placement:
    boxes = dict(sizes)
    bend = Size(0, 0)
    size_of = {node: boxes[node] if isinstance(node, str) else bend for column in ordered for node in column}
    heights = [sum(size_of[node].height for node in column) + row_gap * (len(column) - 1) for column in ordered]
    tallest = max(heights, default=0.0)
    centres: dict[Node, Point] = {}
    x = 0.0
    for column, height in zip(ordered, heights, strict=True):
        width = max((size_of[node].width for node in column), default=0.0)
        y = (tallest - height) / 2
        for node in column:
            centres[node] = (x + width / 2, y + size_of[node].height / 2)
            y += size_of[node].height + row_gap
        x += width + column_gap
    paths = []
    for chain, edge, turned in zip(chains, edges, forward, strict=True):
        points = [centres[node] for node in chain]
        points[0] = (points[0][0] + size_of[chain[0]].width / 2, points[0][1])
        points[-1] = (points[-1][0] - size_of[chain[-1]].width / 2, points[-1][1])
        paths.append(points if edge == turned else points[::-1])
    named = {node: centre for node, centre in centres.items() if isinstance(node, str)}
    return Placement(named, paths, Size(max(x - column_gap, 0.0), tallest))
