"""What the runtime knows of every resource, whatever its spec holds: name, version, owner, phase, finalizers, labels.

Metadata is a frozen value on the hottest path of the runtime: a change makes a new one that shares what did not change.
Faithful to `Metadata` of the COSI specification (v1alpha1/resource.proto).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

UNDEFINED_VERSION: Final = "undefined"
"""How the wire spells the version of a resource that no state has stored yet."""

NO_PAIRS: Final[Mapping[str, str]] = MappingProxyType({})
"""The labels or annotations of a resource that has none."""


class Phase(enum.StrEnum):
    """Whether a resource is alive or waits for its finalizers to be removed."""

    RUNNING = "running"
    TEARING_DOWN = "tearingDown"


class Kind(NamedTuple):
    """All resources of one type in one namespace: what is listed and watched."""

    namespace: str
    type: str


class Pointer(NamedTuple):
    """The name of one resource, whether it exists or not."""

    namespace: str
    type: str
    id: str

    @property
    def kind(self) -> Kind:
        """The kind this resource belongs to."""
        return Kind(self.namespace, self.type)

    def __str__(self) -> str:
        return f"{self.type}({self.namespace}/{self.id}@{UNDEFINED_VERSION})"


# Kept from the garbage collector: strings, numbers and mappings of strings can't be part of a cycle, and there is one
# of these for every resource and for every version in every event log.
class Metadata(msgspec.Struct, frozen=True, gc=False):
    """A resource's metadata.

    `version` is None until a state stores the resource, then 1, 2, …; `created` and `updated` are nanoseconds since the
    Unix epoch and set by the state. `finalizers` keep the order in which they were added.
    """

    namespace: str
    type: str
    id: str
    version: int | None = None
    owner: str = ""
    phase: Phase = Phase.RUNNING
    finalizers: tuple[str, ...] = ()
    labels: Mapping[str, str] = NO_PAIRS
    annotations: Mapping[str, str] = NO_PAIRS
    created: int = 0
    updated: int = 0

    @property
    def pointer(self) -> Pointer:
        """The resource's name."""
        return Pointer(self.namespace, self.type, self.id)

    @property
    def kind(self) -> Kind:
        """The kind the resource belongs to."""
        return Kind(self.namespace, self.type)

    @property
    def tearing_down(self) -> bool:
        """Whether the resource waits to be destroyed."""
        return self.phase is Phase.TEARING_DOWN

    @property
    def version_text(self) -> str:
        """The version as the wire and people write it."""
        return UNDEFINED_VERSION if self.version is None else str(self.version)

    def replace(self, **changes: Any) -> Metadata:
        """Return the same metadata with some fields changed."""
        return msgspec.structs.replace(self, **changes)

    def with_finalizers(self, *names: str) -> Metadata:
        """Return the same metadata with these finalizers added; those present already stay where they are."""
        added = tuple(name for name in dict.fromkeys(names) if name not in self.finalizers)
        return self.replace(finalizers=self.finalizers + added) if added else self

    def without_finalizers(self, *names: str) -> Metadata:
        """Return the same metadata without these finalizers."""
        return self.replace(finalizers=tuple(name for name in self.finalizers if name not in names))

    def with_labels(self, **labels: str) -> Metadata:
        """Return the same metadata with these labels set."""
        return self.replace(labels=pairs({**self.labels, **labels}))

    def without_labels(self, *keys: str) -> Metadata:
        """Return the same metadata without these labels."""
        return self.replace(labels=pairs({key: value for key, value in self.labels.items() if key not in keys}))

    def equivalent(self, other: Metadata) -> bool:
        """Tell whether both say the same; timestamps and the order of finalizers do not count."""
        return self is other or (
            self.namespace == other.namespace
            and self.type == other.type
            and self.id == other.id
            and self.version == other.version
            and self.owner == other.owner
            and self.phase == other.phase
            and self.labels == other.labels
            and self.annotations == other.annotations
            and sorted(self.finalizers) == sorted(other.finalizers)
        )

    def __str__(self) -> str:
        return f"{self.type}({self.namespace}/{self.id}@{self.version_text})"


def pairs(mapping: Mapping[str, str]) -> Mapping[str, str]:
    """Return labels or annotations as metadata holds them: a read-only view of a copy nobody else has."""
    return MappingProxyType(dict(mapping)) if mapping else NO_PAIRS
