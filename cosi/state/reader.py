"""Reading resources by type: what State and a controller's Runtime share.

Resources are named by pointer, or by type and id; a type says which class comes back:

    greeting = await state.get(Greeting, "hello")          # a Greeting
    anything = await state.get(Pointer("default", "Greetings.example.dev", "hello"))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, overload

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource, ResourceT
from cosi.state import errors


class Readable(Protocol):
    """The two primitives that all reads come down to."""

    async def get(self, pointer: Pointer) -> AnyResource:
        """See `CoreState.get`."""
        ...

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """See `CoreState.list`."""
        ...


class Reader:
    """Typed reads of something that can be read."""

    def __init__(self, core: Readable) -> None:
        self.core = core

    @overload
    async def get(self, of: Pointer, id: None = None, *, namespace: None = None) -> AnyResource: ...
    @overload
    async def get(self, of: type[ResourceT], id: str, *, namespace: str | None = None) -> ResourceT: ...
    async def get(
        self, of: Pointer | type[AnyResource], id: str | None = None, *, namespace: str | None = None
    ) -> AnyResource:
        """Return a resource. Raises NotFound."""
        if isinstance(of, Pointer):
            return await self.core.get(of)
        assert id is not None
        return of.of(await self.core.get(of.pointer_to(id, namespace=namespace)))

    @overload
    async def find(self, of: Pointer, id: None = None, *, namespace: None = None) -> AnyResource | None: ...
    @overload
    async def find(self, of: type[ResourceT], id: str, *, namespace: str | None = None) -> ResourceT | None: ...
    async def find(
        self, of: Pointer | type[AnyResource], id: str | None = None, *, namespace: str | None = None
    ) -> AnyResource | None:
        """Return a resource, None if it does not exist."""
        try:
            if isinstance(of, Pointer):
                return await self.get(of)
            assert id is not None
            return await self.get(of, id, namespace=namespace)
        except errors.NotFound:
            return None

    @overload
    async def list(self, of: Kind, *, namespace: None = None, query: Query = ALL) -> Sequence[AnyResource]: ...
    @overload
    async def list(
        self, of: type[ResourceT], *, namespace: str | None = None, query: Query = ALL
    ) -> Sequence[ResourceT]: ...
    async def list(
        self, of: Kind | type[AnyResource], *, namespace: str | None = None, query: Query = ALL
    ) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        if isinstance(of, Kind):
            return await self.core.list(of, query=query)
        return [of.of(item) for item in await self.core.list(of.kind(namespace=namespace), query=query)]
