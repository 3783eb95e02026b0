"""A core state that counts and times what is asked of it: by method, resource type and outcome.

    metrics = PrometheusMetrics()
    async with serving(Metered(core, metrics), registry, [address]):
        ...
    print(metrics.render())

Each call is one observation of `cosi_state_call_seconds`, whose outcome is "ok", the name of the state's error,
"cancelled", or "error" for what a state should not raise. The call of a watch is its opening; the events it brings are
counted by `cosi_state_watch_events_total`. Whoever wants no metrics leaves the wrapper out, and pays nothing.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final, Protocol, TypeVar

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, SupportsTeardown, Watch, WatchKindOptions, WatchOptions
from cosi.state.event import Event
from cosi.state.stream import EventStream

CALL_SECONDS: Final = "cosi_state_call_seconds"
WATCH_EVENTS: Final = "cosi_state_watch_events_total"

BUCKETS_SECONDS: Final = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)
"""From a read in memory to a resource that waits for its finalizers."""

MAX_LABEL_SETS: Final = 2048
"""How many series one metric may have: types come from clients. What would be one more is counted as `OVERFLOW`."""

MAX_LABEL_VALUE_CHARACTERS: Final = 128
"""Longer values are cut: they come from clients as well, and are kept for good."""

OVERFLOW: Final = "overflow"
"""The value of every label of the series that takes what is too much."""

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

ResultT = TypeVar("ResultT")


class Metrics(Protocol):
    """Where numbers go. A name stands for one metric, and always comes with the same labels."""

    def count(self, name: str, amount: int, /, **labels: str) -> None:
        """Add to a counter."""
        ...

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Add a duration to a histogram."""
        ...


class Metered:
    """A core state whose calls are measured. It supports teardown just where the core does."""

    def __new__(cls, core: CoreState, metrics: Metrics, *, clock: Callable[[], float] = time.perf_counter) -> Metered:
        """Choose the class by what the core supports."""
        return super().__new__(_MeteredTeardown if isinstance(core, SupportsTeardown) else cls)

    def __init__(self, core: CoreState, metrics: Metrics, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._core = core
        self._metrics = metrics
        self._clock = clock

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises NotFound."""
        return await self._measure("get", pointer.type, self._core.get(pointer))

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match, ordered by id."""
        return await self._measure("list", kind.type, self._core.list(kind, query=query))

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AlreadyExists, OwnerConflict."""
        return await self._measure("create", resource.metadata.type, self._core.create(resource, owner=owner))

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises NotFound, OwnerConflict, VersionConflict, PhaseConflict."""
        call = self._core.update(resource, owner=owner, expected_phase=expected_phase)
        return await self._measure("update", resource.metadata.type, call)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises NotFound, OwnerConflict, PendingFinalizers."""
        await self._measure("destroy", pointer.type, self._core.destroy(pointer, owner=owner))

    def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch one resource. Entering raises InvalidBookmark, InvalidArgument."""
        return self._open("watch", pointer.type, self._core.watch(pointer, options))

    def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AbstractAsyncContextManager[Watch]:
        """Watch a kind. Entering raises InvalidBookmark, InvalidArgument."""
        return self._open("watch_kind", kind.type, self._core.watch_kind(kind, options))

    @asynccontextmanager
    async def _open(self, verb: str, type: str, opening: AbstractAsyncContextManager[Watch]) -> AsyncIterator[Watch]:
        async with AsyncExitStack() as stack:
            watch = await self._measure(verb, type, stack.enter_async_context(opening))
            yield _MeteredWatch(watch, self._metrics, type)

    async def _measure(self, verb: str, type_name: str, call: Awaitable[ResultT]) -> ResultT:
        outcome = "cancelled"
        start = self._clock()
        try:
            result = await call
            outcome = "ok"
            return result
        except errors.StateError as error:
            outcome = type(error).__name__
            raise
        except Exception:
            outcome = "error"
            raise
        finally:
            seconds = self._clock() - start
            self._metrics.observe(CALL_SECONDS, seconds, verb=verb, type=type_name, outcome=outcome)


class _CoreWithTeardown(CoreState, SupportsTeardown, Protocol):
    pass


class _MeteredTeardown(Metered):
    _core: _CoreWithTeardown

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        return await self._measure("teardown", pointer.type, self._core.teardown(pointer, owner=owner))

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        call = self._core.teardown_and_destroy(pointer, owner=owner)
        await self._measure("teardown_and_destroy", pointer.type, call)


class _MeteredWatch(EventStream):
    def __init__(self, watch: Watch, metrics: Metrics, type: str) -> None:
        super().__init__()
        self._watch = watch
        self._metrics = metrics
        self._type = type

    async def receive(self) -> Sequence[Event]:
        events = await self._watch.batch()
        if events:
            self._metrics.count(WATCH_EVENTS, len(events), type=self._type)
        return events


class PrometheusMetrics:
    """Metrics in this process, shown in the text format that Prometheus reads. Belongs to one thread."""

    def __init__(self) -> None:
        self._counters: dict[str, _Family] = {}
        self._histograms: dict[str, _Family] = {}

    def count(self, name: str, amount: int, /, **labels: str) -> None:
        """Add to a counter. Raises ValueError if the labels are not those it began with."""
        family = self._counters.get(name) or self._begin(self._counters, name, labels, cells=1)
        family.series_of(labels)[0] += amount

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Add a duration to a histogram. Raises ValueError if the labels are not those it began with."""
        # A cell for each bucket, one for what is longer, and the sum.
        family = self._histograms.get(name) or self._begin(self._histograms, name, labels, len(BUCKETS_SECONDS) + 2)
        series = family.series_of(labels)
        series[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        series[-1] += seconds

    def render(self) -> str:
        """Return everything in Prometheus's text exposition format, version 0.0.4."""
        lines: list[str] = []
        for name, family in sorted(self._counters.items()):
            lines.append(f"# TYPE {name} counter")
            lines.extend(f"{name}{braces(labels)} {total}" for labels, (total,) in family.sorted())
        for name, family in sorted(self._histograms.items()):
            lines.append(f"# TYPE {name} histogram")
            for labels, (*buckets, total) in family.sorted():
                count = 0
                for bound, within in zip((*BUCKETS_SECONDS, "+Inf"), buckets, strict=True):
                    count += int(within)
                    lines.append(f"{name}_bucket{braces([*labels, ('le', str(bound))])} {count}")
                lines.append(f"{name}_sum{braces(labels)} {total}")
                lines.append(f"{name}_count{braces(labels)} {count}")
        return "".join(f"{line}\n" for line in lines)

    def _begin(self, families: dict[str, _Family], name: str, labels: dict[str, str], cells: int) -> _Family:
        for word in (name, *labels):
            if not _NAME.fullmatch(word) or word == "le":
                raise ValueError(f'metric "{name}": "{word}" is no name for a metric or a label')
        if name in self._counters or name in self._histograms:
            raise ValueError(f'metric "{name}" cannot be both a counter and a histogram')
        family = families[name] = _Family(name, tuple(labels), cells)
        return family


class _Family:
    """All series of one metric: numbers by the values of its labels."""

    def __init__(self, name: str, labels: tuple[str, ...], cells: int) -> None:
        self._name = name
        self._labels = labels
        self._cells = cells
        self._series: dict[tuple[str, ...], list[float]] = {}

    def series_of(self, labels: dict[str, str]) -> list[float]:
        if tuple(labels) != self._labels:
            labels = self._in_order(labels)
        values = tuple(labels.values())
        return self._series.get(values) or self._bounded(values)

    def sorted(self) -> Iterator[tuple[Sequence[tuple[str, str]], Sequence[float]]]:
        for values, series in sorted(self._series.items()):
            yield list(zip(self._labels, values, strict=True)), series

    def _in_order(self, labels: dict[str, str]) -> dict[str, str]:
        if labels.keys() != set(self._labels):
            expected, given = (", ".join(names) or "none" for names in (self._labels, labels))
            raise ValueError(f'metric "{self._name}" has the labels {expected}, not {given}')
        return {label: labels[label] for label in self._labels}

    def _bounded(self, values: tuple[str, ...]) -> list[float]:
        values = tuple(value[:MAX_LABEL_VALUE_CHARACTERS] for value in values)
        if values not in self._series and len(self._series) >= MAX_LABEL_SETS:
            values = (OVERFLOW,) * len(values)
        return self._series.setdefault(values, [0] * self._cells)


def braces(labels: Sequence[tuple[str, str]]) -> str:
    """Return the labels of a sample as Prometheus writes them; nothing if there are none."""
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
