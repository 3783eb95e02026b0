"""A controller declares what it reads and what it writes, and makes its outputs true whenever an input changed.

    class Shout(Controller):
        name = "example.Shout"
        inputs = (weak(Greeting),)
        outputs = (exclusive(Shouted),)

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                async with runtime.tracked_outputs(Shouted):
                    for greeting in await runtime.list(Greeting):
                        await runtime.modify(Shouted.new(greeting.id, ShoutedSpec(text=greeting.spec.text.upper())))

It is told *that* something changed, not what: each reconcile reads the state afresh, so missing or repeated wake-ups do
no harm. A controller that raises is restarted with backoff; one cut off at any await simply runs again. Faithful to the
Go runtime's pkg/controller; its queue kind has a module of its own.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from cosi.resource.metadata import Kind, Metadata
from cosi.resource.resource import AnyResource

if TYPE_CHECKING:
    from cosi.controller.runtime import Runtime


class InputStrength(enum.Enum):
    """How a controller depends on an input."""

    WEAK = "weak"
    """It reads it."""
    STRONG = "strong"
    """It reads it, and may hold finalizers on it."""
    DESTROY_READY = "destroy-ready"
    """It is woken only when the resource is torn down and nobody holds a finalizer any more."""


class OutputSharing(enum.Enum):
    """Whether others may write resources of an output's type."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"


class Input(NamedTuple):
    """A kind that a controller reads, or one resource of it."""

    kind: Kind
    strength: InputStrength
    id: str | None = None

    def concerns(self, metadata: Metadata) -> bool:
        """Tell whether a change of this resource (of the input's kind) must wake the controller."""
        if self.id is not None and self.id != metadata.id:
            return False
        if self.strength is InputStrength.DESTROY_READY:
            return metadata.tearing_down and not metadata.finalizers
        return True


class Output(NamedTuple):
    """A type that a controller writes, in whatever namespace."""

    type: str
    sharing: OutputSharing


class Controller(abc.ABC):
    """The base of controllers that see all their inputs in each reconcile.

    `name` is unique in an engine and is the owner of what the controller writes.
    """

    name: ClassVar[str]
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()

    @abc.abstractmethod
    async def run(self, runtime: Runtime) -> None:
        """Reconcile until cancelled. Returning means there is nothing left to do, ever."""


def weak(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input that is read."""
    return Input(_kind(of, namespace), InputStrength.WEAK, id)


def strong(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input that is read and held by finalizers."""
    return Input(_kind(of, namespace), InputStrength.STRONG, id)


def destroy_ready(of: type[AnyResource] | Kind, *, id: str | None = None, namespace: str | None = None) -> Input:
    """Declare an input that matters only when it can be destroyed: an own output that others hold, usually."""
    return Input(_kind(of, namespace), InputStrength.DESTROY_READY, id)


def exclusive(of: type[AnyResource]) -> Output:
    """Declare an output that nobody else writes."""
    return Output(of.definition.type, OutputSharing.EXCLUSIVE)


def shared(of: type[AnyResource]) -> Output:
    """Declare an output that others write as well; each resource of it still has one owner."""
    return Output(of.definition.type, OutputSharing.SHARED)


def _kind(of: type[AnyResource] | Kind, namespace: str | None) -> Kind:
    return of if isinstance(of, Kind) else of.kind(namespace=namespace)
