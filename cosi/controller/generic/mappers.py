"""Ways from a changed resource to the items it concerns, for `map_input` and `map_extra`."""

from __future__ import annotations

from cosi.resource.metadata import Metadata, Pointer
from cosi.resource.resource import AnyResource


def same_id(of: type[AnyResource], changed: Metadata, *, namespace: str | None = None) -> tuple[Pointer, ...]:
    """Return the item of a type that has the same id."""
    return (of.pointer_to(changed.id, namespace=namespace),)


def label_value(
    of: type[AnyResource], changed: Metadata, label: str, *, namespace: str | None = None
) -> tuple[Pointer, ...]:
    """Return the item of a type whose id is the value of a label; none if it has no such label."""
    id = changed.labels.get(label)
    return () if id is None else (of.pointer_to(id, namespace=namespace),)
