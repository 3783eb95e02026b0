"""What a controller declares: the resources it reads, in which way, and the types it writes.

The engine wakes by it, the runtime refuses by it what was not declared, and the dependency graph shows it. Faithful to
`Input` and `Output` of the Go runtime (pkg/controller/runtime.go), whose kinds are called modes here because a kind is
a namespace and a type.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from cosi.resource.metadata import Kind, Metadata
from cosi.resource.resource import AnyResource


class InputMode(enum.StrEnum):
    """How a controller depends on an input. The first three are a Controller's, the others a QController's."""

    WEAK = "weak"
    """It reads it, and is woken by its changes."""
    STRONG = "strong"
    """The same, and it may hold finalizers on it."""
    DESTROY_READY = "destroy-ready"
    """It is woken only when the resource is torn down and nobody holds a finalizer any more."""
    PRIMARY = "primary"
    """Each resource is an item of its queue; it may hold finalizers on it."""
    MAPPED = "mapped"
    """A change is mapped to items of the queue; it may hold finalizers on it."""
    MAPPED_DESTROY_READY = "mapped-destroy-ready"
    """That a resource is torn down and free of finalizers is mapped to items of the queue."""


CONTROLLER_MODES: Final = frozenset({InputMode.WEAK, InputMode.STRONG, InputMode.DESTROY_READY})
QUEUE_MODES: Final = frozenset({InputMode.PRIMARY, InputMode.MAPPED, InputMode.MAPPED_DESTROY_READY})
HOLDING_MODES: Final = frozenset({InputMode.STRONG, InputMode.PRIMARY, InputMode.MAPPED})
"""Those that allow finalizers."""


class OutputSharing(enum.StrEnum):
    """Whether others may write resources of an output's type."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


class Input(NamedTuple):
    """A kind that a controller reads, or one resource of it."""

    kind: Kind
    mode: InputMode
    id: str | None = None

    def concerns(self, metadata: Metadata) -> bool:
        """Tell whether a change of this resource (of the input's kind) must wake the controller."""
        if self.id is not None and self.id != metadata.id:
            return False
        if self.mode is InputMode.DESTROY_READY or self.mode is InputMode.MAPPED_DESTROY_READY:
            return metadata.tearing_down and not metadata.finalizers
        return True


class Output(NamedTuple):
    """A type that a controller writes, in whatever namespace."""

    type: str
    sharing: OutputSharing


def weak(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input that is read."""
    return Input(_kind(of, namespace), InputMode.WEAK, id)


def strong(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input that is read and held by finalizers."""
    return Input(_kind(of, namespace), InputMode.STRONG, id)


def destroy_ready(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input that matters only when it can be destroyed: an own output that others hold, usually."""
    return Input(_kind(of, namespace), InputMode.DESTROY_READY, id)


def primary(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input of a QController, each resource of which is reconciled by itself."""
    return Input(_kind(of, namespace), InputMode.PRIMARY, id)


def mapped(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input of a QController whose changes `map_input` turns into items."""
    return Input(_kind(of, namespace), InputMode.MAPPED, id)


def mapped_destroy_ready(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input of a QController that `map_input` turns into items once it can be destroyed."""
    return Input(_kind(of, namespace), InputMode.MAPPED_DESTROY_READY, id)


def exclusive(of: type[AnyResource]) -> Output:
    """Declare an output that nobody else writes."""
    return Output(of.definition.type, OutputSharing.EXCLUSIVE)


def shared(of: type[AnyResource]) -> Output:
    """Declare an output that others write as well; each resource of it still has one owner."""
    return Output(of.definition.type, OutputSharing.SHARED)


def _kind(of: type[AnyResource] | Kind, namespace: str | None) -> Kind:
    return of if isinstance(of, Kind) else of.kind(namespace=namespace)
