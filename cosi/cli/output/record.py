"""What a writer is given: a resource and its type's definition, as plain values from any server."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

__all__ = ["Definition", "Event", "OutputError", "Record", "Writer"]

Event = Literal["created", "updated", "destroyed", "bootstrapped", "errored", "noop"]


class OutputError(ValueError):
    """The resource, the format or the JSONPath cannot be printed as asked; the message says which and why."""


class Record(NamedTuple):
    """One resource as it came over the wire; times are nanoseconds since 1970, `yaml_spec` is empty for a tombstone."""

    namespace: str
    type: str
    id: str
    version: str
    owner: str
    phase: str
    created_ns: int
    updated_ns: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    finalizers: tuple[str, ...]
    yaml_spec: str


class Definition(NamedTuple):
    """What the resource definition says about printing: `columns` are pairs of a name and a JSONPath into the spec."""

    type: str
    display_type: str
    columns: tuple[tuple[str, str], ...]


class Writer(Protocol):
    """Writes resources to the stream that it was made with."""

    def header(self, definition: Definition, *, with_events: bool) -> None:
        """Begin; `with_events` when what follows are changes and not a list."""

    def resource(self, node: str, record: Record, event: Event) -> None:
        """Write one resource of one node; `event` is ignored without events."""

    def flush(self) -> None:
        """Write what is held back, which is how a table learns how wide its columns are."""
