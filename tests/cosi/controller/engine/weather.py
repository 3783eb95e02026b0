"""A core state whose watches break, stall and can't be opened whenever a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, Watch, WatchKindOptions, WatchOptions
from cosi.state.event import Event, EventType
from cosi.state.stream import EventStream, Pollable
from cosi.state.wakeups import Waiter


class Weather:
    """A core with watches of kinds that can be told to fail; `polled` ones say at once what there is."""

    def __init__(self, core: CoreState, *, polled: bool = True) -> None:
        self._core = core
        self._polled = polled
        self._watches: list[StormyWatch] = []
        self._refusals = 0
        self._stalled: Kind | bool = False
        self.openings = 0

    def refuse(self, times: int) -> None:
        """Let the next so many watches not be opened."""
        self._refusals += times

    def break_watches(self, error: Exception | None = None, *, only: Kind | None = None) -> None:
        """Let every open watch, or those of a kind, fail once they have told what has happened."""
        for watch in self._watches:
            if only in (None, watch.kind):
                watch.break_off(Event(EventType.ERRORED, error=error or errors.Unavailable("the weather is bad")))

    def end_watches(self) -> None:
        """Let every open watch end, without a word."""
        for watch in self._watches:
            watch.break_off(None)

    def stall(self, only: Kind | None = None) -> None:
        """Let watches, or those of a kind, tell nothing for now."""
        self._stalled = only or True

    def stalls(self, kind: Kind) -> bool:
        """Tell whether a kind's watches tell nothing."""
        return self._stalled is True or self._stalled == kind

    def flow(self) -> None:
        """Let watches tell all that has happened."""
        self._stalled = False
        for watch in self._watches:
            watch.nudge()

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        """Watch a kind, as far as the weather permits."""
        self.openings += 1
        if self._refusals:
            self._refusals -= 1
            raise errors.Unavailable("no watch in this weather")
        async with self._core.watch_kind(kind, options) as watch:
            assert isinstance(watch, Pollable)
            stormy = StormyWatch(self, kind, watch)
            self._watches.append(stormy)
            try:
                yield stormy if self._polled else _Unpolled(stormy)
            finally:
                self._watches.remove(stormy)

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch one resource, in any weather."""
        return self._core.watch(pointer, options)

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource."""
        return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind."""
        return await self._core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource."""
        return await self._core.create(resource, owner=owner)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource."""
        return await self._core.update(resource, owner=owner, expected_phase=expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource."""
        await self._core.destroy(pointer, owner=owner)


class StormyWatch(Pollable):
    """A watch that tells what another one does, until it is broken off."""

    __slots__ = ("_last", "_waiter", "_watch", "_weather", "kind")

    def __init__(self, weather: Weather, kind: Kind, watch: Pollable) -> None:
        super().__init__()
        self._weather = weather
        self.kind = kind
        self._watch = watch
        self._waiter: Waiter | None = None
        self._last: list[Event] | None = None

    def break_off(self, last: Event | None) -> None:
        """End after one last event, if there is one."""
        self._last = [] if last is None else [last]
        self.nudge()

    def nudge(self) -> None:
        """Wake who waits, if there is anything to tell."""
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            self._watch.forget(waiter)
            self.when_ready(waiter)

    def take(self) -> Sequence[Event] | None:
        events = () if self._weather.stalls(self.kind) else self._watch.take()
        if events or self._last is None:
            return events
        last, self._last = self._last, []
        return last or None

    def when_ready(self, waiter: Waiter) -> None:
        if self._last is not None:
            waiter.set_result(None)
            return
        self._waiter = waiter
        if not self._weather.stalls(self.kind):
            self._watch.when_ready(waiter)

    def forget(self, waiter: Waiter) -> None:
        self._waiter = None
        self._watch.forget(waiter)

    async def receive(self) -> Sequence[Event]:
        while True:
            events = self.take()
            if events is None:
                return ()
            if events:
                return events
            waker = _Waker()
            self.when_ready(waker)
            try:
                await waker.woken.wait()
            finally:
                self.forget(waker)


class _Unpolled(EventStream):
    __slots__ = ("_watch",)

    def __init__(self, watch: StormyWatch) -> None:
        super().__init__()
        self._watch = watch

    async def receive(self) -> Sequence[Event]:
        return await self._watch.receive()


class _Waker:
    def __init__(self) -> None:
        self.woken = anyio.Event()

    def done(self) -> bool:
        return self.woken.is_set()

    def set_result(self, result: None) -> None:
        self.woken.set()
