"""Which handler a path leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from cosi.rpc.seam import Service


class Shape(Enum):
    """How many messages go each way."""

    UNARY = "unary"
    SERVER_STREAMING = "server_streaming"
    CLIENT_STREAMING = "client_streaming"
    BIDIRECTIONAL = "bidirectional"


class Route(NamedTuple):
    """A method: its shape, and the handler, whose type follows from the shape (see `cosi.rpc.seam`)."""

    shape: Shape
    handler: Any


def routes(services: Sequence[Service]) -> Mapping[str, Route]:
    """Return all methods by their path, such as /cosi.resource.State/Get."""
    return {
        f"/{service.name}/{method}": Route(shape, handler)
        for service in services
        for shape in Shape
        for method, handler in getattr(service, shape.value).items()
    }
