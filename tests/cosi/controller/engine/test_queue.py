"""The work queue answers as a naive one does: a few lists, looked through from the front each time."""

from __future__ import annotations

import sys

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cosi.controller.engine.queue import STALE_ENTRIES, WorkQueue
from cosi.journal.records import MAX_CAUSES, Cause, Change, Reason
from cosi.resource.metadata import Metadata
from cosi.state.event import EventType

ITEMS = ("a", "b", "c", "d")

seconds = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5, 10.0])


class NaiveQueue:
    """What a work queue promises, in as few words as possible."""

    def __init__(self) -> None:
        self.ready: list[str] = []
        self.held: list[str] = []
        self.again: list[str] = []
        self.later: list[tuple[float, str]] = []
        self.causes: dict[str, list[Cause]] = {}

    def put(self, item: str, cause: Cause) -> bool:
        if item in self.ready or item in self.again:
            self.causes[item].append(cause)
            return False
        waited = any(item == other for _, other in self.later)
        self.later = [entry for entry in self.later if entry[1] != item]
        self.causes[item] = [cause]
        (self.again if item in self.held else self.ready).append(item)
        return not waited

    def take(self) -> tuple[str, list[Cause]] | None:
        if not self.ready:
            return None
        item = self.ready.pop(0)
        self.held.append(item)
        return item, self.causes.pop(item)

    def release(self, item: str) -> None:
        self.held.remove(item)
        if item in self.again:
            self.again.remove(item)
            self.ready.append(item)

    def release_until(self, item: str, due: float, cause: Cause) -> None:
        if item in self.again:
            self.causes[item].append(cause)
            self.release(item)
        else:
            self.held.remove(item)
            self.later.append((due, item))
            self.causes[item] = [cause]

    def ripen(self, now: float) -> float | None:
        self.later.sort(key=lambda entry: entry[0])
        while self.later and self.later[0][0] <= now:
            self.ready.append(self.later.pop(0)[1])
        return self.later[0][0] if self.later else None


class QueueBesideNaiveQueue(RuleBasedStateMachine):
    """Whatever is done to both, both say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: WorkQueue[str] = WorkQueue()
        self.naive = NaiveQueue()
        self.now = 0.0
        self.changes = 0
        self.owed: set[str] = set()

    @rule(item=st.sampled_from(ITEMS), times=st.integers(1, MAX_CAUSES + 2))
    def put(self, item: str, times: int) -> None:
        self.owed.add(item)
        for _ in range(times):
            self.changes += 1
            cause = change(self.changes)
            assert self.queue.put(item, cause) == self.naive.put(item, cause)

    @rule()
    def take(self) -> None:
        taken, wanted = self.queue.take(), self.naive.take()
        assert (taken is None) == (wanted is None)
        if taken is None or wanted is None:
            return
        item, causes = taken
        assert (item, causes.first, causes.count) == (wanted[0], wanted[1][:MAX_CAUSES], len(wanted[1]))
        self.owed.discard(item)

    @precondition(lambda self: self.naive.held)
    @rule(which=st.integers(0, len(ITEMS) - 1))
    def release(self, which: int) -> None:
        item = self.naive.held[which % len(self.naive.held)]
        self.queue.release(item)
        self.naive.release(item)

    @precondition(lambda self: self.naive.held)
    @rule(which=st.integers(0, len(ITEMS) - 1), wait=seconds)
    def release_for_later(self, which: int, wait: float) -> None:
        item = self.naive.held[which % len(self.naive.held)]
        self.queue.release_until(item, self.now + wait, Reason.RETRIED)
        self.naive.release_until(item, self.now + wait, Reason.RETRIED)

    @rule(passing=seconds)
    def let_time_pass(self, passing: float) -> None:
        self.now += passing
        assert self.queue.ripen(self.now) == self.naive.ripen(self.now)

    @invariant()
    def both_count_the_same(self) -> None:
        waiting = len(self.naive.ready) + len(self.naive.again) + len(self.naive.later)
        assert (len(self.queue), self.queue.ready, self.queue.held) == (
            waiting,
            bool(self.naive.ready),
            len(self.naive.held),
        )

    def teardown(self) -> None:
        """Let everybody finish: whatever was put after it was last taken comes out, and then nothing is left."""
        for item in list(self.naive.held):
            self.queue.release(item)
        self.queue.ripen(sys.float_info.max)
        while (taken := self.queue.take()) is not None:
            self.owed.discard(taken[0])
            self.queue.release(taken[0])

        assert not self.owed
        assert len(self.queue) == 0


def change(number: int) -> Change:
    """Return a change that is like no other."""
    return Change(EventType.UPDATED, Metadata("default", "Things", "thing", version=number))


TestQueueBesideNaiveQueue = QueueBesideNaiveQueue.TestCase
TestQueueBesideNaiveQueue.settings = settings(max_examples=150, stateful_step_count=40)


def test_items_that_keep_changing_their_time_leave_little_behind() -> None:
    queue: WorkQueue[int] = WorkQueue()
    for number in range(10_000):
        queue.put(number % 3, change(number))
        taken = queue.take()
        assert taken is not None
        queue.release_until(taken[0], 1e6 - number, Reason.RETRIED)

    assert len(queue._due) <= 2 * len(queue) + STALE_ENTRIES + 1
    assert len(queue) == 3
