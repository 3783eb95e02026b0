"""The engine's watch of one kind: fills the cache, if there is one, and tells who must know of each change.

What happened to one resource since the last look is one change, the last. A watch that fails is opened again, and
everybody who reads the kind is told, because nobody knows what was missed.

A state in this process is listened to: the first change after a quiet turn of the event loop wakes its controllers
while it is being written, which saves them a turn. What is written in the same turn after it waits for the next, so
that a burst costs its writer nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio
import structlog

from cosi.backoff import Backoff
from cosi.clock import Clock
from cosi.controller.engine.cache import KindCache
from cosi.journal.records import Change
from cosi.resource.metadata import Kind
from cosi.state import errors
from cosi.state.core import CoreState, Watch, WatchKindOptions
from cosi.state.event import Event, EventType
from cosi.state.stream import Pollable
from cosi.state.wakeups import Wakeups

_log = structlog.get_logger(component="engine")

_CHANGES = frozenset({EventType.CREATED, EventType.UPDATED, EventType.DESTROYED})


class KindWatch:
    """Watches a kind for as long as `run` runs: `deliver` is told of changes, `resync` that some may be missing."""

    def __init__(
        self,
        core: CoreState,
        kind: Kind,
        cache: KindCache | None,
        clock: Clock,
        *,
        deliver: Callable[[Kind, Change], None],
        resync: Callable[[Kind], None],
    ) -> None:
        self._core = core
        self._kind = kind
        self._cache = cache
        self._clock = clock
        self._deliver = deliver
        self._resync = resync
        self._watch: Watch | None = None
        self._error: Exception | None = None
        self._missed = False
        self.opened = anyio.Event()
        """Set once nothing is missed any more."""

    @property
    def caught_up(self) -> bool:
        """Whether everything has been delivered that had happened; for states in this process only."""
        if not isinstance(self._watch, Pollable):
            return True
        probe = _Probe()
        self._watch.when_ready(probe)
        self._watch.forget(probe)
        return not probe.done()

    async def run(self) -> None:
        """Watch until cancelled."""
        options = WatchKindOptions(bootstrap_contents=self._cache is not None)
        backoff = Backoff()
        while True:
            try:
                if self._cache is not None:
                    self._cache.refill()
                async with self._core.watch_kind(self._kind, options) as self._watch:
                    self._missed = self.opened.is_set()
                    if self._cache is None:
                        self._tell_if_missed()
                    self.opened.set()
                    self._error = None
                    await self._follow(self._watch, backoff)
            except errors.StateError as failure:
                self._error = failure
            error = self._error
            # Who was too slow once is in time again as soon as it looks.
            delay = 0.0 if isinstance(error, errors.Overrun) else backoff.next()
            _log.warning(
                "watch failed",
                type=self._kind.type,
                namespace=self._kind.namespace,
                error=str(error),
                retry_in=round(delay, 3),
            )
            await self._clock.sleep(delay)

    async def _follow(self, watch: Watch, backoff: Backoff) -> None:
        """Tell of changes until the watch fails, which leaves its error."""
        listener = _Listener(watch, self._hear) if isinstance(watch, Pollable) else None
        while self._error is None:
            if listener is not None:
                await listener.listen()
            else:
                self._hear(await watch.batch() or None)
            if self._error is None:
                backoff.reset()

    def _hear(self, events: Sequence[Event] | None) -> None:
        """Tell of what has happened; None if the watch has ended."""
        if events is None:
            self._error = self._error or errors.Unavailable("the watch ended")
        elif events:
            self._error = events[-1].error
            for change in self._news(events if self._error is None else events[:-1]):
                self._deliver(self._kind, change)

    def _news(self, events: Sequence[Event]) -> Sequence[Change]:
        """Return the last change of each resource, in the order in which they came."""
        cache = self._cache
        if len(events) == 1 and cache is None:
            event = events[0]
            if event.resource is None or event.type not in _CHANGES:
                return ()
            return (Change(event.type, event.resource.metadata),)
        latest: dict[str, Change] = {}
        for event in events:
            if event.type is EventType.NOOP or (cache is not None and not cache.learn(event)):
                if event.type is EventType.BOOTSTRAPPED:
                    self._tell_if_missed()
                continue
            if event.type in _CHANGES:
                assert event.resource is not None
                metadata = event.resource.metadata
                latest.pop(metadata.id, None)
                latest[metadata.id] = Change(event.type, metadata)
        return list(latest.values())

    def _tell_if_missed(self) -> None:
        """Have everybody look again, now that a look would show what was missed."""
        if self._missed:
            self._missed = False
            self._resync(self._kind)


class _Listener:
    """Hears of a change while it is being written, then of all others of the same turn of the event loop at once.

    It is woken in the middle of a write, so what it tells must not write, and must not fail at the writer's expense.
    """

    def __init__(self, watch: Pollable, hear: Callable[[Sequence[Event] | None], None]) -> None:
        self._watch = watch
        self._hear = hear
        self._heard = False
        self._failure: Exception | None = None
        self._turn = Wakeups()

    async def listen(self) -> None:
        """Wait for changes, and hear of them."""
        self._heard = False
        self._watch.when_ready(self)
        try:
            while not self._heard:
                await self._turn.wait()
        finally:
            self._watch.forget(self)
        if self._failure is not None:
            raise self._failure
        self._hear(self._watch.take())

    def done(self) -> bool:
        return False

    def set_result(self, result: None) -> None:
        try:
            self._hear(self._watch.take())
        except Exception as error:
            self._failure = error
        self._heard = True
        self._turn.wake_all()


class _Probe:
    """A waiter that only wants to know whether it would be woken at once."""

    __slots__ = ("_woken",)

    def __init__(self) -> None:
        self._woken = False

    def done(self) -> bool:
        return self._woken

    def set_result(self, result: None) -> None:
        self._woken = True
