"""The engine's watch of one kind: fills the cache, if there is one, and tells who must know of each change.

What happened to one resource since the last look is one change, the last. A watch that fails is opened again, and
everybody who reads the kind is told, because nobody knows what was missed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
from anyio.abc import TaskStatus

from cosi.backoff import Backoff
from cosi.clock import Clock
from cosi.controller.engine.cache import KindCache
from cosi.journal.records import Change
from cosi.resource.metadata import Kind
from cosi.state import errors
from cosi.state.core import CoreState, Watch, WatchKindOptions
from cosi.state.event import Event, EventType
from cosi.state.stream import Pollable

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
        deliver: Callable[[Change], None],
        resync: Callable[[Kind], None],
    ) -> None:
        self._core = core
        self._kind = kind
        self._cache = cache
        self._clock = clock
        self._deliver = deliver
        self._resync = resync
        self._watch: Watch | None = None

    @property
    def caught_up(self) -> bool:
        """Whether everything has been delivered that had happened; for states in this process only."""
        if not isinstance(self._watch, Pollable):
            return True
        probe = _Probe()
        self._watch.when_ready(probe)
        self._watch.forget(probe)
        return not probe.done()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Watch until cancelled; started once the watch is set up."""
        options = WatchKindOptions(bootstrap_contents=self._cache is not None)
        backoff = Backoff()
        opened = False
        while True:
            try:
                if self._cache is not None:
                    self._cache.refill()
                async with self._core.watch_kind(self._kind, options) as self._watch:
                    if opened:
                        self._resync(self._kind)
                    else:
                        task_status.started()
                        opened = True
                    error = await self._follow(self._watch, backoff)
            except errors.StateError as failure:
                error = failure
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

    async def _follow(self, watch: Watch, backoff: Backoff) -> Exception:
        """Tell of changes until the watch fails; return why it did."""
        while events := await watch.batch():
            last = events[-1]
            if last.error is not None:
                return last.error
            for change in self._news(events):
                self._deliver(change)
            backoff.reset()
        return errors.Unavailable("the watch ended")

    def _news(self, events: Sequence[Event]) -> Sequence[Change]:
        """Return the last change of each resource, in the order in which they came."""
        cache = self._cache
        latest: dict[str, Change] = {}
        for event in events:
            if event.type is EventType.NOOP or (cache is not None and not cache.learn(event)):
                continue
            if event.type in _CHANGES:
                assert event.resource is not None
                metadata = event.resource.metadata
                latest.pop(metadata.id, None)
                latest[metadata.id] = Change(event.type, metadata)
        return list(latest.values())


class _Probe:
    """A waiter that only wants to know whether it would be woken at once."""

    __slots__ = ("_woken",)

    def __init__(self) -> None:
        self._woken = False

    def done(self) -> bool:
        return self._woken

    def set_result(self, result: None) -> None:
        self._woken = True
