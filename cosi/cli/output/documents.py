"""`-o yaml`: one document for each resource, headed by the node that it came from."""

from typing import TextIO

from cosi.cli.output.record import Definition, Event, Record
from cosi.cli.output.tree import resource_node
from cosi.resource import goyaml

__all__ = ["Documents"]


class Documents:
    """Writes YAML documents with `---` between them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._with_events = False
        self._separator = ""

    def header(self, definition: Definition, *, with_events: bool) -> None:
        """Remember whether each document names its event."""
        self._with_events = with_events

    def resource(self, node: str, record: Record, event: Event) -> None:
        """Write one document at once."""
        event_line = f"event: {event}\n" if self._with_events else ""
        document = goyaml.emit(resource_node(record))
        self._stream.write(f"{self._separator}node: {node}\n{event_line}{document}")
        self._separator = "---\n"

    def flush(self) -> None:
        """Hand on to the stream what it still holds."""
        self._stream.flush()
