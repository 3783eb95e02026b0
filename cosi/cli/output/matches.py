"""`-o jsonpath=…`: each value that the template finds in a resource, on lines of its own.

Unlike kubectl, talosctl does not print the template: literal text is a finding like any other and gets its own line.
"""

from typing import TextIO

from cosi.cli.output.gojson import to_json, to_text
from cosi.cli.output.indented_json import resource_object
from cosi.cli.output.jsonpath import Template
from cosi.cli.output.record import Definition, Event, OutputError, Record
from cosi.resource.goyaml import Timestamp

__all__ = ["Matches"]


class Matches:
    """Writes collections as indented JSON and scalars as they are; null is `<nil>`, as Go prints it."""

    def __init__(self, stream: TextIO, template: Template) -> None:
        self._stream = stream
        self._template = template
        self._with_events = False

    def header(self, definition: Definition, *, with_events: bool) -> None:
        """Remember whether the event can be found."""
        self._with_events = with_events

    def resource(self, node: str, record: Record, event: Event) -> None:
        """Write what is found; OutputError if the template asks for what is not there."""
        value = resource_object(node, record, event if self._with_events else None)
        try:
            groups = self._template.find(value, allow_missing=False)
        except OutputError as exc:
            raise OutputError(f"error finding result for jsonpath: {exc}") from exc
        try:
            for group in groups:
                for found in group:
                    self._stream.write(_text(found) + "\n")
        except OutputError as exc:
            raise OutputError(f"error generating jsonpath results: {exc}") from exc

    def flush(self) -> None:
        """Hand on to the stream what it still holds."""
        self._stream.flush()


def _text(found: object) -> str:
    if isinstance(found, (dict, list, Timestamp)):
        return to_json(found, indented=True)
    return to_text(found, null="<nil>")
