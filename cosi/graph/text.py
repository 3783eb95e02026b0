"""The graph for a terminal: a paragraph for each controller."""

from __future__ import annotations

from collections.abc import Iterator

from cosi.graph.model import Controller, Edge, Graph


def text(graph: Graph) -> str:
    """Return what each controller reads and writes."""
    return "\n".join("".join(f"{line}\n" for line in _paragraph(one, graph)) for one in graph.controllers)


def _paragraph(controller: Controller, graph: Graph) -> Iterator[str]:
    sort = "queue controller" if controller.queue else "controller"
    yield f"{controller.name} ({sort}, {controller.origin})" if controller.origin else f"{controller.name} ({sort})"
    if controller.problem:
        yield f"  does not work: {controller.problem}"
    own = [edge for edge in graph.edges if edge.controller == controller.name]
    yield from (f"  reads   {_target(edge)}  {edge.kind}" for edge in own if not edge.writes)
    yield from (f"  writes  {edge.type}  {edge.kind}" for edge in own if edge.writes)


def _target(edge: Edge) -> str:
    return f"{edge.type}({edge.namespace}/{edge.id or '*'})"
