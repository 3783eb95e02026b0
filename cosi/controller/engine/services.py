"""What the engine gives every controller it runs: the state in all its forms, the journal, the time."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog

from cosi.clock import Clock
from cosi.controller.counters import Counters
from cosi.controller.declared import View
from cosi.controller.dependencies import Input, Output
from cosi.controller.engine.cache import CachedState
from cosi.controller.engine.limiter import Rate, RateLimiter
from cosi.controller.outcome import Retry
from cosi.journal.journal import Journal
from cosi.journal.journaled import Journaled
from cosi.journal.records import Cause, Causes, Reconcile
from cosi.resource.metadata import Pointer
from cosi.state.core import CoreState

OnFailure = Callable[[str, str, Exception], None]
"""Is told which controller failed, at what, and how."""


class Services(msgspec.Struct, frozen=True, eq=False):
    """One for each engine. `set_inputs` replaces what a controller watches."""

    core: CoreState
    cached: CachedState
    journal: Journal
    clock: Clock
    rate: Rate | None
    set_inputs: Callable[[str, Sequence[Input]], Awaitable[None]]
    on_failure: OnFailure | None


class Shared:
    """What all workers of one controller share."""

    __slots__ = ("_name", "_on_failure", "counters", "limiter", "log")

    def __init__(self, services: Services, name: str) -> None:
        self._name = name
        self._on_failure = services.on_failure
        self.counters = Counters()
        self.limiter = RateLimiter(services.rate, services.clock) if services.rate is not None else None
        self.log: Any = structlog.get_logger(controller=name)

    def failed(self, what: str, error: Exception, **facts: object) -> None:
        """Count a failure and say so."""
        self.counters.crashes += 1
        if self._on_failure is not None:
            self._on_failure(self._name, what, error)
        if isinstance(error, Retry):
            self.log.warning(what, error=str(error), **facts)
        else:
            self.log.error(what, exc_info=error, **facts)

    def blocked(self, seconds: float) -> None:
        """Say that the controller kept the event loop for itself."""
        self.log.warning(
            "controller blocked the event loop; what takes long belongs into a thread (anyio.to_thread.run_sync)",
            milliseconds=round(seconds * 1000),
        )


class Worker:
    """One who reconciles in a controller's name: a view of the state, and what its writes are put down to.

    A Controller has one, a QController as many as it reconciles items at once, and one for its run hook.
    """

    __slots__ = ("_counters", "_journaled", "_maps", "_name", "_since", "view")

    def __init__(
        self, services: Services, name: str, inputs: Sequence[Input], outputs: Sequence[Output], shared: Shared
    ) -> None:
        self._name = name
        self._counters = shared.counters
        self._journaled = Journaled(services.core, services.journal)
        self._since: float | None = None
        self._maps = False
        self.view = View(
            name,
            self._journaled,
            services.cached if services.cached.caches else services.core,
            inputs=inputs,
            outputs=outputs,
            counters=shared.counters,
            limiter=shared.limiter,
            log=shared.log,
        )

    @property
    def busy(self) -> bool:
        """Whether a reconcile is going on."""
        return self._since is not None

    def begin(self, causes: Causes, item: Pointer | None = None, *, maps: bool = False) -> None:
        """Note that a reconcile begins, or the mapping of an input."""
        if maps:
            self._counters.mapped_in += 1
        else:
            self._counters.reconciles += 1
        self._maps = maps
        self._put_down_to(tuple(causes.first), causes.count, item)
        self._since = time.perf_counter()

    def begin_aside(self, cause: Cause) -> None:
        """Note that something begins that is no reconcile and takes as long as it likes."""
        self._put_down_to((cause,), 1, None)

    def end(self) -> None:
        """Note that what had begun has ended, however it did."""
        if self._since is None:
            return
        seconds = time.perf_counter() - self._since
        if self._maps:
            self._counters.map_busy_seconds += seconds
        else:
            self._counters.busy_seconds += seconds
        self._since = None

    def _put_down_to(self, causes: tuple[Cause, ...], count: int, item: Pointer | None) -> None:
        self._journaled.reconcile = Reconcile(
            self._name, self._counters.reconciles, time.time_ns(), causes, count, item
        )
