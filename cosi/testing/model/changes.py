"""The steps of a story that change and read resources, as several owners do."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import anyio
from hypothesis import strategies as st

from cosi.resource.metadata import Phase, Pointer, pairs
from cosi.resource.query import ALL, Query, equal, exists, less, one_of, where
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.event import Event, EventType
from cosi.testing.model.model import Outcome
from cosi.testing.model.stage import Stage
from cosi.testing.model.steps import step
from cosi.testing.resources import IntResource, IntSpec, integer

IDS: Final = ("a", "b")

QUERIES = st.sampled_from(
    [
        ALL,
        where(exists("app")),
        where(exists("app", invert=True)),
        where(one_of("app", ("1", "3"))),
        where(less("app", "2", numeric=True)),
        where(equal("app", "2"), exists("x")),
        where(id_pattern="^a$"),
    ]
)
_CREATORS = st.sampled_from(["", "", "x", "y"])
_OWNERS = st.sampled_from([None, None, None, "", "x", "y"])
"""Who changes a resource; None is whoever owns it, for else most stories would be about refusals."""

_PICKS = st.integers(min_value=0, max_value=len(IDS) - 1)
"""Which of the resources that are there, modulo their number."""

_VALUES = st.integers(min_value=0, max_value=3)
_LABELS = st.sampled_from([pairs({}), pairs({"app": "1"}), pairs({"app": "2", "x": ""})])
_PHASES = st.sampled_from([None, Phase.RUNNING, Phase.RUNNING, Phase.TEARING_DOWN])
_FINALIZERS = st.sampled_from([("F",), ("G",), ("F", "G"), ("G", "F")])
_MOST_EVENTS_IN_A_ROW: Final = 6


class Changes(Stage):
    """Everything there is but watching."""

    @step(id=st.sampled_from(IDS), owner=_CREATORS, value=_VALUES, labels=_LABELS, claimed=_CREATORS)
    def create(self, id: str, owner: str, value: int, labels: Mapping[str, str], claimed: str) -> None:
        wanted = _changed(integer(id, value), labels=labels, owner=claimed)

        self.expect_resource(self.model.create(wanted, owner), id, lambda: self.state.create(wanted, owner=owner))

    @step(
        pick=_PICKS,
        owner=_OWNERS,
        value=_VALUES,
        labels=_LABELS,
        phase=st.sampled_from(Phase),
        finalizers=_FINALIZERS | st.just(()),
        behind=st.sampled_from([0, 0, 0, 0, 1, -1]),
        expected_phase=_PHASES,
    )
    def update(
        self,
        pick: int,
        owner: str | None,
        value: int,
        labels: Mapping[str, str],
        phase: Phase,
        finalizers: tuple[str, ...],
        behind: int,
        expected_phase: Phase | None,
    ) -> None:
        current, by = self._pick(pick, owner)
        assert current.metadata.version is not None
        wanted = _changed(
            current.with_spec(IntSpec(value=value)),
            version=current.metadata.version - behind,
            labels=labels,
            phase=phase,
            finalizers=finalizers,
            created=7,
            updated=8,
        )

        self.expect_resource(
            self.model.update(wanted, by, expected_phase),
            current.id,
            lambda: self.state.update(wanted, owner=by, expected_phase=expected_phase),
        )

    @step(pick=_PICKS, owner=_OWNERS, value=_VALUES, labels=_LABELS | st.none(), expected_phase=_PHASES)
    def update_with_conflicts(
        self, pick: int, owner: str | None, value: int, labels: Mapping[str, str] | None, expected_phase: Phase | None
    ) -> None:
        current, by = self._pick(pick, owner)

        def change(found: AnyResource) -> IntResource:
            known = IntResource.of(found)
            return known.with_spec(IntSpec(value=value)) if labels is None else _changed(known, labels=labels)

        outcome = self.model.update_with_conflicts(current.id, change, by, expected_phase)
        update = functools.partial(self.state.update_with_conflicts, current.pointer, change)
        self.expect_resource(outcome, current.id, lambda: update(owner=by, expected_phase=expected_phase))

    @step(id=st.sampled_from(IDS), owner=_OWNERS, value=_VALUES, relabel=st.booleans(), expected_phase=_PHASES)
    def modify(self, id: str, owner: str | None, value: int, relabel: bool, expected_phase: Phase | None) -> None:
        by = self._who(self.model.resources.get(id), owner)
        wanted = _changed(integer(id, value), labels=pairs({"app": str(value)}))
        change = (lambda current: current.with_metadata(current.metadata.with_labels(x="1"))) if relabel else None

        self.expect_resource(
            self.model.modify(wanted, change, by, expected_phase),
            id,
            lambda: self.state.modify(wanted, change, owner=by, expected_phase=expected_phase),
        )

    @step(pick=_PICKS, times=st.integers(min_value=2, max_value=_MOST_EVENTS_IN_A_ROW))
    def update_again_and_again(self, pick: int, times: int) -> None:
        for _ in range(times):
            current, by = self._pick(pick, None)
            update = functools.partial(self.state.update, current, owner=by, expected_phase=None)
            self.expect_resource(self.model.update(current, by, None), current.id, update)

    @step(pick=_PICKS, owner=_OWNERS)
    def destroy(self, pick: int, owner: str | None) -> None:
        current, by = self._pick(pick, owner)

        self.expect(self.model.destroy(current.id, by), lambda: self.state.destroy(current.pointer, owner=by))

    @step(pick=_PICKS, owner=_OWNERS)
    def tear_down(self, pick: int, owner: str | None) -> None:
        current, by = self._pick(pick, owner)
        outcome = self.model.teardown(current.id, by)

        ready = self.expect(outcome, lambda: self.state.teardown(current.pointer, owner=by))

        if outcome.refusal is None:
            assert ready is (not current.metadata.finalizers)

    @step(pick=_PICKS, owner=_OWNERS)
    def tear_down_and_destroy(self, pick: int, owner: str | None) -> None:
        current, by = self._pick(pick, owner)
        outcome = self.model.teardown_and_destroy(current.id, by)

        held = current.metadata.finalizers
        self.expect(outcome, lambda: self._teardown_and_destroy(current.pointer, by, held))

    @step(pick=_PICKS, names=_FINALIZERS)
    def add_finalizers(self, pick: int, names: tuple[str, ...]) -> None:
        current, _ = self._pick(pick, None)
        outcome = self.model.add_finalizers(current.id, names)

        self.expect(outcome, lambda: self.state.add_finalizers(current.pointer, *names))

    @step(pick=_PICKS, names=_FINALIZERS)
    def remove_finalizers(self, pick: int, names: tuple[str, ...]) -> None:
        current, _ = self._pick(pick, None)
        outcome = self.model.remove_finalizers(current.id, names)

        self.expect(outcome, lambda: self.state.remove_finalizers(current.pointer, *names))

    @step(owner=_CREATORS)
    def change_what_is_not_there(self, owner: str) -> None:
        id = "never there"
        missing, pointer, state = _changed(integer(id, 0), version=1), IntResource.pointer_to(id), self.state
        operations: Sequence[Callable[[], Awaitable[object]]] = (
            lambda: state.get(pointer),
            lambda: state.update(missing, owner=owner),
            lambda: state.update_with_conflicts(pointer, lambda _: missing, owner=owner),
            lambda: state.destroy(pointer, owner=owner),
            lambda: state.teardown(pointer, owner=owner),
            lambda: state.teardown_and_destroy(pointer, owner=owner),
            lambda: state.add_finalizers(pointer, "F"),
            lambda: state.remove_finalizers(pointer, "F"),
        )
        for operation in operations:
            self.expect(Outcome(refusal=errors.NotFound), operation)

    @step(pick=_PICKS, query=QUERIES)
    def read_back(self, pick: int, query: Query) -> None:
        current, _ = self._pick(pick, None)

        self.expect_resource(Outcome(), current.id, lambda: self.state.get(current.pointer))
        self.expect_list(query)

    def _pick(self, pick: int, owner: str | None) -> tuple[IntResource, str]:
        """Return a resource that is there, if need be from now on, and who changes it."""
        if not self.model.resources:
            self.create(IDS[pick], owner or "", 0, pairs({}), "")
        there = sorted(self.model.resources)
        current = self.model.resources[there[pick % len(there)]]
        return current, self._who(current, owner)

    def _who(self, current: IntResource | None, owner: str | None) -> str:
        return owner if owner is not None else current.metadata.owner if current else ""

    async def _teardown_and_destroy(self, pointer: Pointer, owner: str, held: tuple[str, ...]) -> None:
        """Tear down and destroy, while whoever holds a finalizer removes it on seeing the teardown."""

        async def let_go() -> None:
            await self.state.watch_for(pointer, _torn_down)
            await self.state.remove_finalizers(pointer, *held)

        refusal: Exception | None = None
        async with anyio.create_task_group() as tasks:
            if held:
                tasks.start_soon(let_go)
            try:
                await self.state.teardown_and_destroy(pointer, owner=owner)
            except Exception as error:
                refusal = error
            tasks.cancel_scope.cancel()
        if refusal is not None:
            raise refusal


def _changed(resource: IntResource, **changes: object) -> IntResource:
    return resource.with_metadata(resource.metadata.replace(**changes))


def _torn_down(event: Event) -> bool:
    return event.type is EventType.DESTROYED or (event.resource is not None and event.resource.metadata.tearing_down)
