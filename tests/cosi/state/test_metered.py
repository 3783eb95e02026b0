"""A metered state tells what was asked of it, and is otherwise not noticed; what it tells is what Prometheus reads."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from itertools import count

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.resource.metadata import Kind, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import SupportsTeardown, WatchKindOptions
from cosi.state.memory.state import MemoryState
from cosi.state.metered import (
    BUCKETS_SECONDS,
    CALL_SECONDS,
    MAX_LABEL_SETS,
    MAX_LABEL_VALUE_CHARACTERS,
    OVERFLOW,
    WATCH_EVENTS,
    Metered,
    PrometheusMetrics,
)
from cosi.state.state import State
from cosi.testing.conformance.subject import LEAST_HISTORY_EVENTS
from cosi.testing.conformance.teardown import Teardown
from cosi.testing.listener import WAIT_SECONDS, listen_kind
from cosi.testing.resources import PathResource, path
from cosi.testing.state_conformance import StateConformance

Sample = tuple[str, frozenset[tuple[str, str]]]

TYPE = PathResource.definition.type
POINTER = PathResource.pointer_to("a")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestMetered(StateConformance):
    overrun_events = 3 * LEAST_HISTORY_EVENTS

    @pytest.fixture
    def state(self) -> State:
        return State(Metered(MemoryState(history=LEAST_HISTORY_EVENTS, gap=2), PrometheusMetrics()))


class TestMeteredTeardown(Teardown):
    """So it is with a core that tears down in one step."""

    @pytest.fixture
    def state(self) -> State:
        return State(Metered(State(MemoryState()), PrometheusMetrics()))


def test_teardown_in_one_step_is_there_just_where_the_core_has_it() -> None:
    assert not isinstance(Metered(MemoryState(), PrometheusMetrics()), SupportsTeardown)
    assert isinstance(Metered(State(MemoryState()), PrometheusMetrics()), SupportsTeardown)


class TestWhatIsCounted:
    """What a metered state tells."""

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def metrics(self) -> PrometheusMetrics:
        return PrometheusMetrics()

    @pytest.fixture
    def state(self, metrics: PrometheusMetrics) -> State:
        return State(Metered(MemoryState(), metrics))

    async def test_every_call_is_counted_with_its_type_and_outcome(
        self, state: State, metrics: PrometheusMetrics
    ) -> None:
        stored = await state.create(path("a"))
        await state.update(stored)
        await state.get(POINTER)
        await state.list(PathResource)
        await state.list(PathResource)
        async with state.watch(POINTER), state.watch_kind(PathResource.kind()):
            await state.destroy(POINTER)

        assert _calls(metrics) == {
            ("create", TYPE, "ok"): 1,
            ("update", TYPE, "ok"): 1,
            ("get", TYPE, "ok"): 1,
            ("list", TYPE, "ok"): 2,
            ("watch", TYPE, "ok"): 1,
            ("watch_kind", TYPE, "ok"): 1,
            ("destroy", TYPE, "ok"): 1,
        }

    async def test_teardown_in_one_step_is_one_call(self, metrics: PrometheusMetrics) -> None:
        state = State(Metered(State(MemoryState()), metrics))
        await state.create(path("a"))

        await state.teardown(POINTER)
        await state.teardown_and_destroy(POINTER)

        assert _calls(metrics) == {
            ("create", TYPE, "ok"): 1,
            ("teardown", TYPE, "ok"): 1,
            ("teardown_and_destroy", TYPE, "ok"): 1,
        }

    @pytest.mark.parametrize(
        ("verb", "call", "outcome"),
        [
            ("get", lambda state: state.get(POINTER), "NotFound"),
            ("create", lambda state: state.create(path("there")), "AlreadyExists"),
            ("update", lambda state: state.update(path("there")), "VersionConflict"),
            ("destroy", lambda state: state.destroy(path("there").pointer, owner="x"), "OwnerConflict"),
            (
                "watch_kind",
                lambda state: state.watch_kind(PathResource.kind(), WatchKindOptions(bookmark=b"?")).__aenter__(),
                "InvalidBookmark",
            ),
        ],
    )
    async def test_a_refusal_is_counted_by_its_name_and_passed_on(
        self,
        state: State,
        metrics: PrometheusMetrics,
        verb: str,
        call: Callable[[State], Awaitable[object]],
        outcome: str,
    ) -> None:
        await state.core.create(path("there"))

        with pytest.raises(getattr(errors, outcome)):
            await call(state)

        assert _calls(metrics)[verb, TYPE, outcome] == 1

    async def test_what_a_state_should_not_raise_is_an_error(self, metrics: PrometheusMetrics) -> None:
        class Broken(MemoryState):
            async def get(self, pointer: Pointer) -> AnyResource:
                raise OSError("the disk is gone")

        with pytest.raises(OSError, match="the disk is gone"):
            await State(Metered(Broken(), metrics)).get(POINTER)

        assert _calls(metrics) == {("get", TYPE, "error"): 1}

    async def test_a_cancelled_call_is_counted_as_such(self, metrics: PrometheusMetrics) -> None:
        state = State(Metered(State(MemoryState()), metrics))
        await state.create(path("a"))
        await state.add_finalizers(POINTER, "A")

        with anyio.fail_after(WAIT_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(state.teardown_and_destroy, POINTER)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

        assert _calls(metrics)["teardown_and_destroy", TYPE, "cancelled"] == 1

    async def test_the_events_of_a_watch_are_counted_however_they_are_read(
        self, state: State, metrics: PrometheusMetrics
    ) -> None:
        async with listen_kind(state, PathResource.kind()) as batches, state.watch(POINTER) as singles:
            for id in "abc":
                await state.create(path(id))
            await batches.take(3)
            await anext(aiter(singles))

        assert _samples(metrics)[WATCH_EVENTS, frozenset({("type", TYPE)})] == 3 + 1

    async def test_a_call_takes_as_long_as_the_clock_says(self, metrics: PrometheusMetrics) -> None:
        seconds = count(step=0.05)
        state = State(Metered(MemoryState(), metrics, clock=lambda: next(seconds)))

        await state.list(PathResource)
        await state.list(PathResource)

        labels = {("verb", "list"), ("type", TYPE), ("outcome", "ok")}
        samples = _samples(metrics)
        assert samples[f"{CALL_SECONDS}_sum", frozenset(labels)] == pytest.approx(0.1)
        assert samples[f"{CALL_SECONDS}_bucket", frozenset({*labels, ("le", "0.01")})] == 0
        assert samples[f"{CALL_SECONDS}_bucket", frozenset({*labels, ("le", "0.1")})] == 2

    async def test_types_that_clients_make_up_do_not_fill_the_memory(
        self, state: State, metrics: PrometheusMetrics
    ) -> None:
        for number in range(MAX_LABEL_SETS + 10):
            await state.core.list(Kind("default", f"{number}" + "x" * 1000))

        calls = _calls(metrics)
        assert len(calls) == MAX_LABEL_SETS + 1
        assert calls[OVERFLOW, OVERFLOW, OVERFLOW] == 10
        assert sum(calls.values()) == MAX_LABEL_SETS + 10
        assert max(len(type) for _, type, _ in calls) == MAX_LABEL_VALUE_CHARACTERS

    async def test_a_core_is_called_as_its_wrapper_is(self, metrics: PrometheusMetrics) -> None:
        asked: list[tuple[Kind, Query]] = []

        class Curious(MemoryState):
            async def list(self, kind: Kind, *, query: Query = ALL) -> list[AnyResource]:
                asked.append((kind, query))
                return []

        query = Query(id_pattern="^a")
        await State(Metered(Curious(), metrics)).list(PathResource, query=query)

        assert asked == [(PathResource.kind(), query)]


class TestPrometheusMetrics:
    """What Prometheus reads."""

    def test_the_text_is_the_exposition_format(self) -> None:
        metrics = PrometheusMetrics()
        metrics.count("wakes_total", 2, controller='say "hi"\\\n')
        metrics.count("wakes_total", 1, controller="")
        metrics.count("starts_total", 1)
        metrics.observe("run_seconds", 0.25, of="x")
        metrics.observe("run_seconds", 100.0, of="x")

        assert metrics.render() == (
            "# TYPE starts_total counter\n"
            "starts_total 1\n"
            "# TYPE wakes_total counter\n"
            'wakes_total{controller=""} 1\n'
            'wakes_total{controller="say \\"hi\\"\\\\\\n"} 2\n'
            "# TYPE run_seconds histogram\n"
            'run_seconds_bucket{of="x",le="1e-05"} 0\n'
            'run_seconds_bucket{of="x",le="0.0001"} 0\n'
            'run_seconds_bucket{of="x",le="0.001"} 0\n'
            'run_seconds_bucket{of="x",le="0.01"} 0\n'
            'run_seconds_bucket{of="x",le="0.1"} 0\n'
            'run_seconds_bucket{of="x",le="1.0"} 1\n'
            'run_seconds_bucket{of="x",le="10.0"} 1\n'
            'run_seconds_bucket{of="x",le="+Inf"} 2\n'
            'run_seconds_sum{of="x"} 100.25\n'
            'run_seconds_count{of="x"} 2\n'
        )

    def test_nothing_counted_is_an_empty_text(self) -> None:
        assert PrometheusMetrics().render() == ""

    @given(st.dictionaries(st.tuples(st.text(max_size=20), st.text(max_size=20)), st.integers(1, 9), max_size=8))
    def test_whatever_a_label_says_is_read_back(self, counts: dict[tuple[str, str], int]) -> None:
        metrics = PrometheusMetrics()
        for (first, second), amount in counts.items():
            metrics.count("things_total", amount, first=first, second=second)

        assert _samples(metrics) == {
            ("things_total", frozenset({("first", first), ("second", second)})): amount
            for (first, second), amount in counts.items()
        }

    @given(st.lists(st.floats(min_value=0, max_value=100), min_size=1))
    def test_a_bucket_holds_all_that_took_no_longer(self, durations: list[float]) -> None:
        metrics = PrometheusMetrics()
        for seconds in durations:
            metrics.observe("run_seconds", seconds)

        samples = _samples(metrics)
        for bound in (*BUCKETS_SECONDS, math.inf):
            within = sum(seconds <= bound for seconds in durations)
            name = "+Inf" if bound == math.inf else str(bound)
            assert samples["run_seconds_bucket", frozenset({("le", name)})] == within
        assert samples["run_seconds_count", frozenset()] == len(durations)
        assert samples["run_seconds_sum", frozenset()] == pytest.approx(sum(durations))

    def test_labels_may_come_in_any_order(self) -> None:
        metrics = PrometheusMetrics()
        metrics.count("things_total", 1, a="x", b="y")
        metrics.count("things_total", 1, b="y", a="x")

        assert metrics.render() == '# TYPE things_total counter\nthings_total{a="x",b="y"} 2\n'

    @pytest.mark.parametrize(
        ("misuse", "message"),
        [
            (lambda metrics: metrics.count("things_total", 1, b=""), "has the labels a, not b"),
            (lambda metrics: metrics.count("things_total", 1), "has the labels a, not none"),
            (lambda metrics: metrics.observe("things_total", 1, a=""), "cannot be both"),
            (lambda metrics: metrics.count("no name", 1), '"no name" is no name'),
            (lambda metrics: metrics.count("x_total", 1, le=""), '"le" is no name'),
            (lambda metrics: metrics.count("x_total", 1, größe=""), '"größe" is no name'),
        ],
    )
    def test_a_misuse_says_what_is_wrong(self, misuse: Callable[[PrometheusMetrics], None], message: str) -> None:
        metrics = PrometheusMetrics()
        metrics.count("things_total", 1, a="")

        with pytest.raises(ValueError, match=message):
            misuse(metrics)


_LINE = re.compile(r"(?P<name>\w+)(\{(?P<labels>.*)\})? (?P<value>\S+)", re.DOTALL)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')
_ESCAPES = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


def _samples(metrics: PrometheusMetrics) -> dict[Sample, float]:
    """Read the text as Prometheus does."""
    samples: dict[Sample, float] = {}
    for line in metrics.render().split("\n"):
        if line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            assert match is not None, line
            labels = {
                (name, re.sub(r"\\.", lambda escape: _ESCAPES[escape[0]], value))
                for name, value in _LABEL.findall(match["labels"] or "")
            }
            samples[match["name"], frozenset(labels)] = float(match["value"])
    return samples


def _calls(metrics: PrometheusMetrics) -> dict[tuple[str, str, str], float]:
    """Return how many calls there were by verb, type and outcome."""
    calls = {}
    for (name, labels), number in _samples(metrics).items():
        if name == f"{CALL_SECONDS}_count":
            by = dict(labels)
            calls[by["verb"], by["type"], by["outcome"]] = number
    return calls
