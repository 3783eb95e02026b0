"""Sample resource types, as small as a resource type gets, for tests that need some.

`PathResource` is the one most tests use; what its spec holds is of no importance to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.metadata import NO_PAIRS
from cosi.resource.registry import Registry
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field

NAMESPACE: Final = "default"


class PathSpec(Spec):
    """Where something lies."""

    path: str = field(1, default="")


class PathResource(Resource[PathSpec]):
    """A path."""

    definition = Definition(
        type="Paths.test.cosi.dev", default_namespace=NAMESPACE, columns=(PrintColumn("Path", "{.path}"),)
    )


class IntSpec(Spec):
    """A number."""

    value: int = field(1, default=0)


class IntResource(Resource[IntSpec]):
    """A number: what controllers in tests read or write."""

    definition = Definition(
        type="Ints.test.cosi.dev", default_namespace=NAMESPACE, columns=(PrintColumn("Value", "{.value}"),)
    )


class StrSpec(Spec):
    """A text."""

    value: str = field(1, default="")


class StrResource(Resource[StrSpec]):
    """A text: what controllers in tests turn numbers into."""

    definition = Definition(
        type="Strs.test.cosi.dev", default_namespace=NAMESPACE, columns=(PrintColumn("Value", "{.value}"),)
    )


def sample_registry() -> Registry:
    """Return a new registry that knows the sample types."""
    return Registry((PathResource, IntResource, StrResource))


def path(id: str, *, namespace: str = NAMESPACE, labels: Mapping[str, str] = NO_PAIRS) -> PathResource:
    """Return a path that no state has stored yet; its id is the path."""
    return PathResource.new(id, PathSpec(path=id), namespace=namespace, labels=labels)


def integer(id: str, value: int, *, namespace: str = NAMESPACE) -> IntResource:
    """Return a number that no state has stored yet."""
    return IntResource.new(id, IntSpec(value=value), namespace=namespace)


def string(id: str, value: str, *, namespace: str = NAMESPACE) -> StrResource:
    """Return a text that no state has stored yet."""
    return StrResource.new(id, StrSpec(value=value), namespace=namespace)
