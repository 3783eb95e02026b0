"""`-o table`: one line for each resource, with the columns that its definition asks for."""

from typing import TextIO

from cosi.cli.output.jsonpath import Template
from cosi.cli.output.record import Definition, Event, OutputError, Record
from cosi.cli.output.tabwriter import TabWriter
from cosi.cli.output.tree import spec_value

__all__ = ["Table"]

_MARKS = {"created": "+", "updated": " ", "destroyed": "-"}


class Table:
    """Writes NODE, NAMESPACE, TYPE, ID, VERSION and the definition's own columns.

    When watching, a column `*` after NODE tells what happened, `+` created, `-` destroyed, blank updated, and events
    that are about no resource are left out. Whatever is written between two flushes is aligned together.
    """

    def __init__(self, stream: TextIO) -> None:
        self._tabs = TabWriter(stream)
        self._with_events = False
        self._display_type = ""
        self._columns: list[tuple[str, Template]] = []

    def header(self, definition: Definition, *, with_events: bool) -> None:
        """Write the line of names; OutputError if the definition has a column whose JSONPath is malformed."""
        self._with_events = with_events
        self._display_type = definition.display_type
        self._columns = [(name, _template(name, path)) for name, path in definition.columns]
        mark = ["*"] if with_events else []
        names = [name.upper() for name, _ in definition.columns]
        self._tabs.row(["NODE", *mark, "NAMESPACE", "TYPE", "ID", "VERSION", *names])

    def resource(self, node: str, record: Record, event: Event) -> None:
        """Add the line of one resource; a column is empty where the spec, or the tombstone, has nothing."""
        mark = []
        if self._with_events:
            if event not in _MARKS:
                return
            mark = [_MARKS[event]]
        spec = spec_value(record) if self._columns else None
        values = [template.execute(spec, allow_missing=True) for _, template in self._columns]
        self._tabs.row([node, *mark, record.namespace, self._display_type, record.id, record.version, *values])

    def flush(self) -> None:
        """Write the lines held back."""
        self._tabs.flush()


def _template(name: str, path: str) -> Template:
    try:
        return Template(path)
    except OutputError as exc:
        raise OutputError(f'error parsing column "{name}" jsonpath: {exc}') from exc
