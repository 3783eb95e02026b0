"""Whatever several owners do in whatever order, MemoryState answers as a dict and a list of events would.

The model predicts each result, each refusal and each event of watchers that are attached at random moments, read at
random moments, and therefore overrun now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cosi.resource.metadata import Metadata, Phase, pairs
from cosi.resource.query import ALL, Query, exists, where
from cosi.state import errors
from cosi.state.core import Watch, WatchKindOptions, WatchOptions
from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, IntSpec, integer
from tests.cosi.state.watcher import Told, Watcher, same

ResultT = TypeVar("ResultT")

_WAIT_SECONDS = 1.0
"""Nothing here depends on another task: what is not there at once never comes."""

_HISTORY = 4
_GAP = 1
_APP = where(exists("app"))
_KIND = IntResource.kind()

_ids = st.sampled_from("ab")
_owners = st.sampled_from(["", "", "", "x"])
_values = st.integers(min_value=0, max_value=3)
_labels = st.sampled_from([pairs({}), pairs({"app": "1"})])
_phases = st.sampled_from(Phase)
_expected_phases = st.sampled_from([None, None, Phase.RUNNING, Phase.TEARING_DOWN])
_finalizers = st.sampled_from([(), ("F",), ("F", "G")])
_queries = st.sampled_from([ALL, _APP])
_counts = st.integers(min_value=1, max_value=2 * _HISTORY)


class MemoryStateModel(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.runner = asyncio.Runner()
        self.state = State(MemoryState(history=_HISTORY, gap=_GAP))
        self.open_watches = AsyncExitStack()
        self.resources: dict[str, IntResource] = {}
        self.log: list[Told] = []
        self.bookmarks: list[bytes] = []
        self.watchers: list[Watcher] = []
        # The scribe reads after each change: it hears of every event, and collects the bookmarks.
        options = WatchKindOptions(bootstrap_bookmark=True)
        self.scribe = self.run(self._enter(self.state.watch_kind(_KIND, options)))
        self.before_all = self.run(self.scribe.batch())[0].bookmark

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.run(self.open_watches.aclose())
            self.runner.close()

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self.runner.run(asyncio.wait_for(coroutine, _WAIT_SECONDS))

    # Changes

    @rule(id=_ids, owner=_owners, value=_values, labels=_labels, claimed=_owners)
    def create(self, id: str, owner: str, value: int, labels: dict[str, str], claimed: str) -> None:
        wanted = integer(id, value)
        wanted = wanted.with_metadata(wanted.metadata.replace(labels=labels, owner=claimed))
        refusal: type[Exception] | None = None
        if claimed not in ("", owner):
            refusal = errors.OwnerConflict
        elif id in self.resources:
            refusal = errors.AlreadyExists

        stored = self.attempt(self.state.create(wanted, owner=owner), refusal)

        if stored is not None:
            assert (stored.metadata.version, stored.metadata.owner) == (1, owner)
            assert stored.spec == wanted.spec
            self.resources[id] = stored
            self.publish(Told(EventType.CREATED, stored))

    @rule(
        id=_ids,
        owner=_owners,
        value=_values,
        labels=_labels,
        phase=_phases,
        finalizers=_finalizers,
        behind=st.sampled_from([0, 0, 0, 0, 1, -1]),
        expected_phase=_expected_phases,
    )
    def update(
        self,
        id: str,
        owner: str,
        value: int,
        labels: dict[str, str],
        phase: Phase,
        finalizers: tuple[str, ...],
        behind: int,
        expected_phase: Phase | None,
    ) -> None:
        current = self.resources.get(id)
        base = current.metadata if current else Metadata(*IntResource.pointer_to(id), version=1)
        assert base.version is not None
        wanted = IntResource(
            base.replace(version=base.version - behind, labels=labels, phase=phase, finalizers=finalizers, created=7),
            IntSpec(value=value),
        )
        refusal: type[Exception] | None = None
        if current is None:
            refusal = errors.NotFound
        elif current.metadata.owner != owner:
            refusal = errors.OwnerConflict
        elif behind:
            refusal = errors.VersionConflict
        elif expected_phase is not None and current.metadata.phase is not expected_phase:
            refusal = errors.PhaseConflict

        stored = self.attempt(self.state.update(wanted, owner=owner, expected_phase=expected_phase), refusal)

        if stored is not None:
            assert current is not None
            assert stored.equivalent(wanted.with_metadata(wanted.metadata.replace(version=base.version + 1)))
            assert stored.metadata.created == current.metadata.created
            self.resources[id] = stored
            self.publish(Told(EventType.UPDATED, stored, current))

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), times=st.integers(min_value=1, max_value=_HISTORY + 1))
    def touch(self, data: st.DataObject, times: int) -> None:
        id = data.draw(st.sampled_from(sorted(self.resources)))
        for _ in range(times):
            current = self.resources[id]
            self.resources[id] = self.run(self.state.update(current, owner=current.metadata.owner, expected_phase=None))
            self.publish(Told(EventType.UPDATED, self.resources[id], current))

    @rule(id=_ids, owner=_owners)
    def destroy(self, id: str, owner: str) -> None:
        current = self.resources.get(id)
        refusal: type[Exception] | None = None
        if current is None:
            refusal = errors.NotFound
        elif current.metadata.owner != owner:
            refusal = errors.OwnerConflict
        elif current.metadata.finalizers:
            refusal = errors.PendingFinalizers

        self.attempt(self.state.destroy(IntResource.pointer_to(id), owner=owner), refusal)

        if refusal is None:
            self.publish(Told(EventType.DESTROYED, self.resources.pop(id)))

    # Watchers

    @rule(query=_queries, start=st.sampled_from(["now", "contents", "tail", "bookmark"]), count=_counts)
    def watch_kind(self, query: Query, start: str, count: int) -> None:
        end, reach = len(self.log), _HISTORY - _GAP
        if start == "now":
            self.enter(WatchKindOptions(query=query), end)
        elif start == "contents":
            matching = [found for _, found in sorted(self.resources.items()) if query.matches(found.metadata)]
            initial = [Told(EventType.CREATED, found) for found in matching] + [Told(EventType.BOOTSTRAPPED)]
            self.enter(WatchKindOptions(query=query, bootstrap_contents=True), end, initial)
        elif start == "tail":
            self.enter(WatchKindOptions(query=query, tail_events=count), end - min(count, reach, end))
        elif count <= end + 1:
            options = WatchKindOptions(query=query, bookmark=[self.before_all, *self.bookmarks][-count])
            if count <= reach:
                self.enter(options, end - count + 1)
            else:
                self.attempt(self._enter(self.state.watch_kind(_KIND, options)), errors.InvalidBookmark)

    @rule(id=_ids, tail=_counts | st.just(0))
    def watch_one(self, id: str, tail: int) -> None:
        position, initial = len(self.log), []
        if tail:
            reachable = range(max(len(self.log) - (_HISTORY - _GAP), 0), len(self.log))
            own = [at for at in reachable if (told := self.log[at].resource) and told.id == id]
            position = own[-tail] if len(own) >= tail else reachable.start
        else:
            current = self.resources.get(id)
            initial = [Told(EventType.CREATED, current) if current else Told(EventType.DESTROYED)]
        context = self.state.watch(IntResource.pointer_to(id), WatchOptions(tail_events=tail))
        self.watchers.append(Watcher(self.run(self._enter(context)), position, initial, id=id))

    @precondition(lambda self: any(watcher.expected(self.log, _HISTORY) for watcher in self.watchers))
    @rule(data=st.data())
    def read(self, data: st.DataObject) -> None:
        ready = [watcher for watcher in self.watchers if watcher.expected(self.log, _HISTORY)]
        watcher = data.draw(st.sampled_from(ready))
        expected = watcher.expected(self.log, _HISTORY)

        batch = self.run(watcher.watch.batch())

        same(batch, expected)
        if watcher.initial:
            watcher.initial = ()
        elif expected[0].type is EventType.ERRORED:
            assert isinstance(batch[0].error, errors.Overrun)
            assert not self.run(watcher.watch.batch())
            self.watchers.remove(watcher)
        else:
            watcher.position = len(self.log)

    # What always holds

    @invariant()
    def what_is_there_is_what_the_model_says(self) -> None:
        if hasattr(self, "resources"):
            self.run(self._compare())

    async def _compare(self) -> None:
        expected = [self.resources[id] for id in sorted(self.resources)]
        labelled = [found for found in expected if found.metadata.labels]
        assert await self.state.list(IntResource) == expected
        assert await self.state.list(IntResource, query=_APP) == labelled
        for id in "ab":
            assert await self.state.find(IntResource, id) == self.resources.get(id)

    def attempt(self, coroutine: Coroutine[Any, Any, ResultT], refusal: type[Exception] | None) -> ResultT | None:
        """Run to the predicted end: a result, or exactly this refusal."""
        try:
            result = self.run(coroutine)
        except errors.StateError as error:
            assert type(error) is refusal, f"expected {refusal}, got {error!r}"  # noqa: PT017
            return None
        assert refusal is None, f"expected {refusal}, got {result!r}"
        return result

    def publish(self, told: Told) -> None:
        self.log.append(told)
        batch = self.run(self.scribe.batch())
        same(batch, [told])
        self.bookmarks.append(batch[0].bookmark)

    def enter(self, options: WatchKindOptions, position: int, initial: Sequence[Told] = ()) -> None:
        watch = self.run(self._enter(self.state.watch_kind(_KIND, options)))
        self.watchers.append(Watcher(watch, position, initial, options.query))

    async def _enter(self, context: AbstractAsyncContextManager[Watch]) -> Watch:
        return await self.open_watches.enter_async_context(context)


TestMemoryStateModel = MemoryStateModel.TestCase
TestMemoryStateModel.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
