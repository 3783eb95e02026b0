"""`cosi graph`: who reads and writes what, as text, as data, or as a picture.

All of it is in the ControllerDefinitions that a server keeps, so any server that keeps them will do.
"""

from __future__ import annotations

import json
from typing import Any, Final

import click

from cosi.cli.asking import asking
from cosi.cli.output.record import Record
from cosi.cli.remote import Remote
from cosi.graph.dot import dot
from cosi.graph.model import Controller, Edge, Graph, graph_of
from cosi.graph.svg import svg
from cosi.graph.text import text
from cosi.resource import goyaml

NAMESPACE: Final = "meta"
TYPE: Final = "ControllerDefinitions.meta.cosi.dev"

_FORMS: Final = {"text": text, "dot": dot, "svg": svg}


def run(*, output: str, server: str | None) -> None:
    """Print the graph. Raises click.ClickException."""
    with asking(server) as there:
        graph = _graph(Remote(there.channel).list(NAMESPACE, TYPE))
    click.echo(_json(graph) if output == "json" else _FORMS[output](graph), nl=False)


def _graph(records: list[Record]) -> Graph:
    controllers: list[Controller] = []
    edges: list[Edge] = []
    for record in records:
        spec: Any = goyaml.load(record.yaml_spec)
        controllers.append(Controller(record.id, spec["queue"], spec["origin"], spec.get("problem", "")))
        edges.extend(
            Edge(record.id, wanted["mode"], wanted["type"], wanted["namespace"], wanted.get("id", ""))
            for wanted in spec["inputs"]
        )
        edges.extend(Edge(record.id, output["sharing"], output["type"]) for output in spec["outputs"])
    return graph_of(controllers, edges)


def _json(graph: Graph) -> str:
    told = {
        "controllers": [controller._asdict() for controller in graph.controllers],
        "types": list(graph.types),
        "edges": [edge._asdict() for edge in graph.edges],
    }
    return json.dumps(told, indent=4) + "\n"
