"""The graph in Graphviz's language: `cosi graph -o dot | dot -Tpng > graph.png`."""

from __future__ import annotations

from collections.abc import Iterator

from cosi.graph.model import FEEDBACK, Graph

_STYLES = {"exclusive": "penwidth=2", "shared": "style=dashed", "weak": "style=dotted"}
_FEEDBACK_STYLE = "color=gray, constraint=false, fontcolor=gray"


def dot(graph: Graph) -> str:
    """Return a digraph; controllers are boxes, types are ellipses."""
    return "".join(f"{line}\n" for line in _lines(graph))


def _lines(graph: Graph) -> Iterator[str]:
    yield "digraph controllers {"
    yield '    rankdir=LR; node [fontname="Helvetica"]; edge [fontname="Helvetica", fontsize=10];'
    for controller in graph.controllers:
        style = 'style="rounded,filled", fillcolor="#f8d7da"' if controller.problem else "style=rounded"
        note = f", tooltip={_quoted(controller.problem)}" if controller.problem else ""
        yield f"    {_controller(controller.name)} [label={_quoted(controller.name)}, shape=box, {style}{note}];"
    for type in graph.types:
        yield f"    {_type(type)} [label={_quoted(type)}, shape=ellipse];"
    for edge in graph.edges:
        ends = (_controller(edge.controller), _type(edge.type))
        source, target = ends if edge.writes else ends[::-1]
        style = _FEEDBACK_STYLE if edge.kind in FEEDBACK else _STYLES.get(edge.kind, "style=solid")
        label = f"{edge.kind} {edge.id}" if edge.id else edge.kind
        yield f"    {source} -> {target} [label={_quoted(label)}, {style}];"
    yield "}"


def _controller(name: str) -> str:
    return _quoted(f"controller {name}")


def _type(type: str) -> str:
    return _quoted(f"type {type}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return f'"{escaped}"'
