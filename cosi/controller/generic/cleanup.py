"""Holds resources until what depends on them is gone.

    Cleanup("example.ClusterCleanup", Cluster, Combine(
        RemoveOutputs(Machine, lambda cluster: Query(...)),
        HasNoOutputs(Lease, lambda cluster: Query(...)),
    ))

Each resource of the input type gets a finalizer. Once it is torn down a handler removes its dependents, or waits until
somebody else has, and only then the finalizer goes. Faithful to the Go runtime's pkg/controller/generic/cleanup.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, Output, destroy_ready, shared, strong, weak
from cosi.controller.generic.failures import Failures
from cosi.controller.outcome import Skip
from cosi.controller.runtime import Runtime
from cosi.resource.query import Query
from cosi.resource.resource import AnyResource

InputT = TypeVar("InputT", bound=AnyResource)
InputT_contra = TypeVar("InputT_contra", bound=AnyResource, contravariant=True)


class Handler(Protocol[InputT_contra]):
    """What must be done before a torn down resource is let go of."""

    @property
    def inputs(self) -> Sequence[Input]:
        """What it reads."""

    @property
    def outputs(self) -> Sequence[Output]:
        """What it removes."""

    async def finalize(self, runtime: Runtime, source: InputT_contra) -> None:
        """Do it; Skip while it can't be finished."""


class Cleanup(Controller, Generic[InputT]):
    """A Controller that puts a finalizer on each resource of a type, and takes it off when its handler is done."""

    def __init__(self, name: str, of: type[InputT], handler: Handler[InputT]) -> None:
        self.name = name
        self.inputs = (strong(of), *handler.inputs)
        self.outputs = tuple(handler.outputs)
        self._of = of
        self._handler = handler

    async def run(self, runtime: Runtime) -> None:
        """Reconcile until cancelled."""
        async for _ in runtime.reconcile():
            failures = Failures(runtime)
            # A cache may show a resource that is torn down while there is a new one of its name, with new dependents.
            for source in await runtime.uncached.list(self._of):
                with failures.gathering(source):
                    await self._process(runtime, source)
            failures.raise_all()

    async def _process(self, runtime: Runtime, source: InputT) -> None:
        held = self.name in source.metadata.finalizers
        if source.metadata.tearing_down and held:
            await self._handler.finalize(runtime, source)
            await runtime.remove_finalizer(source.pointer)
        elif not source.metadata.tearing_down and not held:
            await runtime.add_finalizer(source.pointer)


class HasNoOutputs(Generic[InputT]):
    """Waits until there are no resources of a type that depend on the input."""

    def __init__(self, of: type[AnyResource], dependents: Callable[[InputT], Query]) -> None:
        self.inputs: Sequence[Input] = (weak(of),)
        self.outputs: Sequence[Output] = ()
        self._of = of
        self._dependents = dependents

    async def finalize(self, runtime: Runtime, source: InputT) -> None:
        """Skip while there are any."""
        left = await runtime.list(self._of, query=self._dependents(source))
        if left:
            raise Skip(f"waiting until {len(left)} {self._of.definition.type} are destroyed")


class RemoveOutputs(Generic[InputT]):
    """Removes the resources of a type that depend on the input, and that nobody owns or one of `extra_owners` does."""

    def __init__(
        self, of: type[AnyResource], dependents: Callable[[InputT], Query], *, extra_owners: Collection[str] = ()
    ) -> None:
        self.inputs: Sequence[Input] = (destroy_ready(of),)
        self.outputs: Sequence[Output] = (shared(of),)
        self._of = of
        self._dependents = dependents
        self._owners = frozenset(("", *extra_owners))

    async def finalize(self, runtime: Runtime, source: InputT) -> None:
        """Tear them down, and skip while others hold some."""
        held = 0
        for resource in await runtime.list(self._of, query=self._dependents(source)):
            owner = resource.metadata.owner
            if owner in self._owners and not await runtime.remove(resource.pointer, owner=owner):
                held += 1
        if held:
            raise Skip(f"waiting until {held} {self._of.definition.type} are let go of")


class Combine(Generic[InputT]):
    """Handlers one after the other: the next begins when the one before is done. Raises ValueError without any."""

    def __init__(self, *handlers: Handler[InputT]) -> None:
        if not handlers:
            raise ValueError("there is nothing to combine")
        self.inputs: Sequence[Input] = tuple(dict.fromkeys(each for one in handlers for each in one.inputs))
        self.outputs: Sequence[Output] = tuple(dict.fromkeys(each for one in handlers for each in one.outputs))
        self._handlers = handlers

    async def finalize(self, runtime: Runtime, source: InputT) -> None:
        """Do what each of them does."""
        for handler in self._handlers:
            await handler.finalize(runtime, source)
