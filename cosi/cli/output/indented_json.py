"""`-o json`: one indented object for each resource, with the node, and the event when watching, among its keys."""

from typing import TextIO

from cosi.cli.output.gojson import to_json
from cosi.cli.output.record import Definition, Event, OutputError, Record
from cosi.cli.output.tree import resource_node
from cosi.resource import goyaml

__all__ = ["IndentedJSON", "resource_object"]


class IndentedJSON:
    """Writes objects one after another, without a list around them, so that a watch can be read as it grows."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._with_events = False

    def header(self, definition: Definition, *, with_events: bool) -> None:
        """Remember whether each object names its event."""
        self._with_events = with_events

    def resource(self, node: str, record: Record, event: Event) -> None:
        """Write one object at once."""
        value = resource_object(node, record, event if self._with_events else None)
        self._stream.write(to_json(value, indented=True) + "\n")

    def flush(self) -> None:
        """Hand on to the stream what it still holds."""
        self._stream.flush()


def resource_object(node: str, record: Record, event: Event | None) -> dict[object, object]:
    """Return what JSON shows of a resource: its YAML, read back as Go reads it, with the node and perhaps the event."""
    try:
        value = goyaml.construct(resource_node(record))
    except goyaml.YAMLError as exc:
        raise OutputError(f"{record.type}({record.namespace}/{record.id}) cannot be printed: {exc}") from exc
    entries = value if isinstance(value, dict) else {}
    return {**entries, "node": node, **({"event": event} if event else {})}
