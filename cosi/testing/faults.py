"""Lets accesses of a core state fail on purpose, before they happen or after.

    world.faults.fail(Verb.CREATE, Shouted, error=errors.Unavailable("the server is away"))
    world.faults.fail(Verb.UPDATE, times=2, after=True)       # written, but nobody is told

What a controller must survive is not only an error, but an error after the effect: the answer got lost on its way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.filtered import Verb

ResultT = TypeVar("ResultT")


class _Fault:
    def __init__(self, verb: Verb, type: str | None, id: str | None, error: Exception, times: int, after: bool) -> None:
        self.verb = verb
        self.type = type
        self.id = id
        self.error = error
        self.left = times
        self.after = after

    def hits(self, verb: Verb, type: str, id: str | None) -> bool:
        return self.left > 0 and verb is self.verb and self.type in (None, type) and (self.id is None or self.id == id)


class Faults:
    """A core state some accesses of which fail."""

    def __init__(self, core: CoreState) -> None:
        self._core = core
        self._faults: list[_Fault] = []

    def fail(
        self,
        verb: Verb,
        of: type[AnyResource] | None = None,
        id: str | None = None,
        *,
        error: Exception | None = None,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Let the next so many accesses fail that have this verb, and this type and id if they are given.

        `after` lets them happen first. The error is Unavailable unless told.
        """
        type = None if of is None else of.definition.type
        problem = error if error is not None else errors.Unavailable(f"{verb} failed on purpose")
        self._faults.append(_Fault(verb, type, id, problem, times, after))

    def forgive(self) -> None:
        """Let nothing fail any more that was to fail and has not."""
        self._faults.clear()

    @property
    def pending(self) -> int:
        """How many failures are still to come."""
        return sum(fault.left for fault in self._faults)

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        return await self._do(Verb.GET, pointer.type, pointer.id, self._core.get(pointer))

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        return await self._do(Verb.LIST, kind.type, None, self._core.list(kind, query=query))

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        metadata = resource.metadata
        return await self._do(Verb.CREATE, metadata.type, metadata.id, self._core.create(resource, owner=owner))

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        call = self._core.update(resource, owner=owner, expected_phase=expected_phase)
        return await self._do(Verb.UPDATE, resource.metadata.type, resource.metadata.id, call)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        await self._do(Verb.DESTROY, pointer.type, pointer.id, self._core.destroy(pointer, owner=owner))

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[Watch]:
        """Watch one resource. Entering raises InvalidBookmark, InvalidArgument."""
        self._check(Verb.WATCH, pointer.type, pointer.id)
        async with self._core.watch(pointer, options) as watch:
            yield watch

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        """Watch a kind. Entering raises InvalidBookmark, InvalidArgument."""
        self._check(Verb.WATCH, kind.type, None)
        async with self._core.watch_kind(kind, options) as watch:
            yield watch

    async def _do(self, verb: Verb, type: str, id: str | None, call: Awaitable[ResultT]) -> ResultT:
        fault = next((fault for fault in self._faults if fault.hits(verb, type, id)), None)
        if fault is None or fault.after:
            result = await call
        else:
            getattr(call, "close", lambda: None)()
        if fault is not None:
            fault.left -= 1
            raise fault.error
        return result

    def _check(self, verb: Verb, type: str, id: str | None) -> None:
        for fault in self._faults:
            if fault.hits(verb, type, id):
                fault.left -= 1
                raise fault.error
