"""The graph as a picture that stands alone: no fonts, no scripts, fit for light pages and dark ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from cosi.graph.layout import Placement, Point, Size, place
from cosi.graph.model import FEEDBACK, Controller, Edge, Graph, display

CHARACTER_WIDTH: Final = 7.6
"""Pixels that a character of 13 pixels takes, generously: there are no fonts to measure here."""

PADDING: Final = 14.0
MARGIN: Final = 24.0
BOX_HEIGHT: Final = 44.0
LAYER_GAP: Final = 46.0
BOX_GAP: Final = 26.0
LEGEND_HEIGHT: Final = 34.0
LEGEND_STEP: Final = 190.0

_STYLE: Final = """
svg { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
text { fill: #1f2933; } .small { fill: #6b7785; font-size: 11px; } .name { font-weight: 600; }
.controller { fill: #eaf1ff; stroke: #3b6fd4; stroke-width: 1.5; }
.problem { fill: #fde8e8; stroke: #c53030; stroke-width: 1.5; } .type { fill: #ffffff; stroke: #8793a0; }
path.edge { fill: none; stroke: #52606d; stroke-width: 1.4; } .arrow { fill: #52606d; }
path.exclusive { stroke-width: 2.4; } path.shared { stroke-dasharray: 7 4; } path.weak { stroke-dasharray: 2 4; }
path.mapped { stroke-dasharray: 10 3 2 3; } path.destroy-ready, path.mapped-destroy-ready { opacity: 0.4; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #9aa7b4; } .controller { fill: #1d2b45; stroke: #6ea0ff; }
  .problem { fill: #4a1d1d; stroke: #fc8181; } .type { fill: #161b22; stroke: #8b98a5; }
  path.edge { stroke: #8b98a5; } .arrow { fill: #8b98a5; }
}
"""
# What XML can't hold, even escaped.
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def svg(graph: Graph) -> str:
    """Return the picture: controllers are rounded boxes, types square ones, and data flows from top to bottom."""
    sizes = {f"c {one.name}": _size(one.name, _below(one)) for one in graph.controllers}
    sizes |= {f"t {type}": _size(*display(type)) for type in graph.types}
    ends = [(f"c {edge.controller}", f"t {edge.type}") for edge in graph.edges]
    directed = [pair if edge.writes else pair[::-1] for pair, edge in zip(ends, graph.edges, strict=True)]
    feedback = [edge.kind in FEEDBACK for edge in graph.edges]
    # Boxes are wide and flat, so what the layout calls columns are rows here: data flows from top to bottom.
    lying = {name: Size(size.height, size.width) for name, size in sizes.items()}
    placed = place(lying, directed, feedback, column_gap=LAYER_GAP, row_gap=BOX_GAP)
    return "\n".join(_picture(graph, _upright(placed), sizes)) + "\n"


def _picture(graph: Graph, placed: Placement, sizes: dict[str, Size]) -> Iterator[str]:
    kinds = sorted({edge.kind for edge in graph.edges})
    width = max(placed.size.width, LEGEND_STEP * len(kinds)) + 2 * MARGIN
    height = placed.size.height + 2 * MARGIN + LEGEND_HEIGHT
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-labelledby="title description">'
    )
    yield '<title id="title">Controllers and the resources they read and write</title>'
    count = f"{len(graph.controllers)} controllers, {len(graph.types)} resource types, {len(graph.edges)} dependencies"
    yield f'<desc id="description">{count}</desc>'
    yield f"<style>{_STYLE}</style>"
    yield '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    yield 'markerUnits="userSpaceOnUse" orient="auto"><path class="arrow" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
    yield f'<g transform="translate({MARGIN:.0f} {MARGIN:.0f})">'
    for edge, path in zip(graph.edges, placed.paths, strict=True):
        yield _edge(edge, path)
    for one in graph.controllers:
        rounded = f'rx="10" class="{"problem" if one.problem else "controller"}"'
        key = f"c {one.name}"
        yield _box(placed.centres[key], sizes[key], rounded, one.name, _below(one), one.problem or one.origin)
    for type in graph.types:
        key = f"t {type}"
        yield _box(placed.centres[key], sizes[key], 'class="type"', *display(type), type)
    yield "</g>"
    yield from _legend(kinds, height - MARGIN)
    yield "</svg>"


def _upright(placed: Placement) -> Placement:
    return Placement(
        {name: (y, x) for name, (x, y) in placed.centres.items()},
        [[(y, x) for x, y in path] for path in placed.paths],
        Size(placed.size.height, placed.size.width),
    )


def _edge(edge: Edge, points: Sequence[Point]) -> str:
    (x, y), *rest = points
    path = f"M{x:.1f} {y:.1f}"
    for next_x, next_y in rest:
        # Upright where it leaves and where it arrives, so that pieces join without a corner.
        middle = (y + next_y) / 2
        path += f" C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
        x, y = next_x, next_y
    what = f"{edge.namespace}/{edge.id or '*'}" if edge.namespace else edge.type
    title = f"{edge.controller} {'writes' if edge.writes else 'reads'} {edge.type} ({edge.kind}, {what})"
    return f'<path class="edge {edge.kind}" d="{path}" marker-end="url(#arrow)"><title>{_safe(title)}</title></path>'


def _box(centre: Point, size: Size, attributes: str, name: str, below: str, title: str) -> str:
    x, y = centre
    left, top = x - size.width / 2, y - size.height / 2
    return (
        f'<g><title>{_safe(title)}</title><rect x="{left:.1f}" y="{top:.1f}" width="{size.width:.1f}" '
        f'height="{size.height:.1f}" {attributes}/>'
        f'<text x="{x:.1f}" y="{y - 3:.1f}" text-anchor="middle" class="name">{_safe(name)}</text>'
        f'<text x="{x:.1f}" y="{y + 13:.1f}" text-anchor="middle" class="small">{_safe(below)}</text></g>'
    )


def _legend(kinds: Sequence[str], y: float) -> Iterator[str]:
    for position, kind in enumerate(kinds):
        x = MARGIN + position * LEGEND_STEP
        yield f'<path class="edge {kind}" d="M{x:.0f} {y:.0f} H{x + 32:.0f}" marker-end="url(#arrow)"/>'
        yield f'<text class="small" x="{x + 40:.0f}" y="{y + 4:.0f}">{kind}</text>'


def _below(controller: Controller) -> str:
    if controller.problem:
        return "does not work"
    return "queue controller" if controller.queue else "controller"


def _size(*lines: str) -> Size:
    return Size(max(map(len, lines)) * CHARACTER_WIDTH + 2 * PADDING, BOX_HEIGHT)


def _safe(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))
