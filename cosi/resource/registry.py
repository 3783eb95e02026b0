"""The resource types a process knows, by name: a value that is passed around, not a global.

Whoever decodes resources (the server, the client) asks it for the class of a type; one that it does not know stays
opaque.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cosi.resource.resource import AnyResource


class Registry:
    """Resource classes by type name."""

    def __init__(self, classes: Iterable[type[AnyResource]] = ()) -> None:
        self._classes: dict[str, type[AnyResource]] = {}
        for resource_class in classes:
            self.add(resource_class)

    def add(self, resource_class: type[AnyResource]) -> None:
        """Register a type. Raises ValueError if its definition is malformed or its name is taken by another class."""
        resource_class.definition.names()
        resource_class.spec_type.message_class()
        type = resource_class.definition.type
        if self._classes.setdefault(type, resource_class) is not resource_class:
            raise ValueError(f"resource type {type} is registered already, by {self._classes[type].__qualname__}")

    def get(self, type: str) -> type[AnyResource] | None:
        """Return the class of a type, None if it is not known here."""
        return self._classes.get(type)

    def __iter__(self) -> Iterator[type[AnyResource]]:
        return iter(self._classes.values())
