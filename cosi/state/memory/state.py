"""Resources in memory: one collection for each kind, kept from the first resource on.

Reads and writes never wait, and every one is atomic because nothing else runs in between; only watching suspends. A
state belongs to the event loop it is used in and must not be touched from another thread.

Memory: for each kind, its resources and at most `SLACK` times `history` past events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final
from weakref import WeakValueDictionary

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query, compile_id_pattern
from cosi.resource.resource import AnyResource, Tombstone
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, WatchKindOptions, WatchOptions
from cosi.state.event import Event, EventType
from cosi.state.memory.collection import Collection
from cosi.state.memory.log import EventLog, new_cookie
from cosi.state.memory.watch import MemoryWatch, Opening, matching, only

DEFAULT_HISTORY_EVENTS: Final = 1024
"""How far a watcher may fall behind; what Talos gives its node."""

DEFAULT_GAP_EVENTS: Final = 4


class MemoryState:
    """A core state in memory.

    `history` is how many past events of a kind are kept for watchers, `gap` how many of the oldest a new watch may not
    start from, `clock` gives the nanoseconds since the Unix epoch.
    """

    def __init__(
        self,
        *,
        history: int = DEFAULT_HISTORY_EVENTS,
        gap: int = DEFAULT_GAP_EVENTS,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._history = history
        self._gap = gap
        self._clock = clock
        self._cookie = new_cookie()
        # By (namespace, type): a plain tuple is made in a tenth of the time of a Kind, and finds the same.
        self._collections: dict[tuple[str, str], Collection] = {}
        # Kinds in which nothing ever happened are kept by their watches alone: asking for names must cost no memory.
        self._untouched: WeakValueDictionary[tuple[str, str], Collection] = WeakValueDictionary()

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        namespace, type, id = pointer
        collection = self._collections.get((namespace, type)) or self._collection(namespace, type)
        return collection.get(id)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        _check_query(query)
        return self._collection(*kind).list(query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        metadata = resource.metadata
        kind = (metadata.namespace, metadata.type)
        collection = self._collections.get(kind)
        if collection is not None:
            return collection.create(resource, owner)
        collection = self._collection(*kind)
        stored = collection.create(resource, owner)
        self._collections[kind] = collection
        return stored

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        metadata = resource.metadata
        kind = (metadata.namespace, metadata.type)
        collection = self._collections.get(kind) or self._collection(*kind)
        return collection.update(resource, owner, expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        self._collection(*pointer.kind).destroy(pointer.id, owner)

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[MemoryWatch]:
        """Watch one resource. Raises InvalidBookmark, InvalidArgument."""
        return Opening(lambda: self._watch(pointer, options))

    def watch_kind(
        self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW
    ) -> AbstractAsyncContextManager[MemoryWatch]:
        """Watch a kind. Raises InvalidBookmark, InvalidArgument."""
        return Opening(lambda: self._watch_kind(kind, options))

    def kinds(self) -> Sequence[Kind]:
        """Return every kind that a resource was ever created of."""
        return [collection.kind for collection in self._collections.values()]

    def _watch(self, pointer: Pointer, options: WatchOptions) -> MemoryWatch:
        collection = self._collection(*pointer.kind)
        log = collection.log
        position, initial = log.end, []
        _exclude(tail_events=options.tail_events > 0, bookmark=options.bookmark is not None)
        if options.bookmark is not None:
            position = log.after(options.bookmark)
        elif options.tail_events > 0:
            position = _tail_of(log, pointer.id, options.tail_events)
        elif (resource := collection.find(pointer.id)) is not None:
            initial = [Event(EventType.CREATED, resource)]
        else:
            initial = [Event(EventType.DESTROYED, Tombstone.at(pointer))]
        return MemoryWatch(collection, position, initial, only(pointer.id), id=pointer.id)

    def _watch_kind(self, kind: Kind, options: WatchKindOptions) -> MemoryWatch:
        _check_query(options.query)
        collection = self._collection(*kind)
        log = collection.log
        position = log.end
        tail, bookmark = options.tail_events > 0, options.bookmark is not None
        _exclude(bootstrap_contents=options.bootstrap_contents, tail_events=tail)
        _exclude(bootstrap_contents=options.bootstrap_contents, bookmark=bookmark)
        _exclude(tail_events=tail, bookmark=bookmark)
        if options.bookmark is not None:
            position = log.after(options.bookmark)
        elif tail:
            position = max(log.end - options.tail_events, log.earliest)
        initial: list[Event] = []
        here = Tombstone.at(Pointer(*kind, ""))
        if options.bootstrap_contents:
            initial = [Event(EventType.CREATED, resource) for resource in collection.list(options.query)]
            initial.append(Event(EventType.BOOTSTRAPPED, here, bookmark=log.bookmark(position - 1)))
        if options.bootstrap_bookmark:
            initial.append(Event(EventType.NOOP, here, bookmark=log.bookmark(position - 1)))
        return MemoryWatch(collection, position, initial, matching(options.query))

    def _collection(self, namespace: str, type: str) -> Collection:
        kind = (namespace, type)
        collection = self._collections.get(kind) or self._untouched.get(kind)
        if collection is None:
            log = EventLog(self._history, self._gap, self._cookie)
            collection = self._untouched[kind] = Collection(Kind(namespace, type), log, self._clock)
        return collection


def _tail_of(log: EventLog, id: str, count: int) -> int:
    """Return the position from which the log holds the last `count` events of one resource."""
    position = log.end
    for event in reversed(log.since(log.earliest)):
        if count == 0:
            break
        position -= 1
        assert event.resource is not None
        count -= event.resource.metadata.id == id
    return position


def _exclude(**given: bool) -> None:
    if all(given.values()):
        raise errors.InvalidArgument(f"a watch takes only one of {' and '.join(given)}")


def _check_query(query: Query) -> None:
    if query.id_pattern:
        try:
            compile_id_pattern(query.id_pattern)
        except ValueError as error:
            raise errors.InvalidArgument(str(error)) from None
