"""The seven primitives that every place where resources live must have; all else is derived from them once.

A backend, a wrapper and a remote state are all just cores. `State` (cosi.state.state) is what people hold.
Faithful to `CoreState` of the Go runtime (pkg/state/state.go), with one difference: resources are values, so create and
update return the resource as stored instead of changing the one they were given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol, runtime_checkable

import msgspec

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state.event import Event


class WatchOptions(msgspec.Struct, frozen=True):
    """Where the watch of one resource starts.

    By default its first event is the resource as it is (CREATED), or a tombstone (DESTROYED). `tail_events` starts with
    up to so many past events instead, `bookmark` right after the event that carried it; they exclude each other.
    """

    tail_events: int = 0
    bookmark: bytes | None = None


class WatchKindOptions(msgspec.Struct, frozen=True):
    """Where the watch of a kind starts, and what it is about.

    By default it starts with what happens next. `bootstrap_contents` sends what exists first, then BOOTSTRAPPED;
    `bootstrap_bookmark` sends a NOOP with a bookmark first. `tail_events` and `bookmark` as for one resource; neither
    goes with `bootstrap_contents`.
    """

    query: Query = ALL
    bootstrap_contents: bool = False
    bootstrap_bookmark: bool = False
    tail_events: int = 0
    bookmark: bytes | None = None


FROM_NOW: Final = WatchOptions()
KIND_FROM_NOW: Final = WatchKindOptions()


class Watch(Protocol):
    """An open watch: events in the order in which they happened, each once.

    A watch that failed delivers one ERRORED event and ends. Only one task may read it.
    """

    async def batch(self) -> Sequence[Event]:
        """Wait until there is something, then return all that is pending; empty once the watch has ended."""
        ...

    def __aiter__(self) -> AsyncIterator[Event]:
        """Iterate over single events until the watch ends."""
        ...


class CoreState(Protocol):
    """What a backend implements. Every method raises a StateError; what each may raise stands with it."""

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        ...

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        ...

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource at version 1 and return it. Raises AlreadyExists, OwnerConflict."""
        ...

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace the resource whose version is that of `resource`; return it as stored, one version on.

        `expected_phase` None accepts any phase. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict.
        """
        ...

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        ...

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Open a watch of one resource, whether it exists or not; it is set up when entering returns.

        Entering raises InvalidBookmark, InvalidArgument.
        """
        ...

    def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Open a watch of all resources of a kind; it is set up when entering returns.

        Entering raises InvalidBookmark, InvalidArgument.
        """
        ...


@runtime_checkable
class SupportsTeardown(Protocol):
    """A core that can tear down in one step (a remote one, say); State uses it where there is one."""

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        """See `State.teardown`."""
        ...

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """See `State.teardown_and_destroy`."""
        ...
