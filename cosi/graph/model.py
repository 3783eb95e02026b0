"""A dependency graph: controllers, the resource types they read and write, and in which way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

OUTPUTS: Final = ("exclusive", "shared")
"""The kinds of edges that lead from a controller to a type; all others lead from a type to a controller."""

FEEDBACK: Final = ("destroy-ready", "mapped-destroy-ready")
"""The kinds by which a controller looks back at what it has written: they don't say what comes before what."""


class Controller(NamedTuple):
    """A controller; `problem` is why it does not work, if it doesn't."""

    name: str
    queue: bool = False
    origin: str = ""
    problem: str = ""


class Edge(NamedTuple):
    """A controller reads or writes a type; `namespace` and `id` narrow an input down."""

    controller: str
    kind: str
    type: str
    namespace: str = ""
    id: str = ""

    @property
    def writes(self) -> bool:
        """Whether the edge leads from the controller to the type."""
        return self.kind in OUTPUTS


class Graph(NamedTuple):
    """Controllers and edges, sorted."""

    controllers: Sequence[Controller]
    edges: Sequence[Edge]

    @property
    def types(self) -> Sequence[str]:
        """Every type that is read or written, sorted."""
        return sorted({edge.type for edge in self.edges})


def graph_of(controllers: Iterable[Controller], edges: Iterable[Edge]) -> Graph:
    """Return the graph; it is the same in whatever order its parts come."""
    return Graph(sorted(set(controllers)), sorted(set(edges)))


def display(type: str) -> tuple[str, str]:
    """Return the name of a type and its domain: what is read first, and the rest."""
    name, _, domain = type.partition(".")
    return name, domain
