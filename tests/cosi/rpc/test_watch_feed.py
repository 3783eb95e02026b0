"""Watchers take what happened when they are ready for it, and those who are told the same share its bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.query import LabelQuery, LabelTerm, Operation, Query
from cosi.rpc import codec
from cosi.rpc.seam import messages
from cosi.rpc.watch_feed import Broadcast, WatchFeed
from cosi.state.core import WatchKindOptions
from cosi.state.event import EventType
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathResource, PathSpec, path
from tests.cosi.rpc.calling import Bell

pytestmark = pytest.mark.anyio

HISTORY = 16


@pytest.fixture
def state() -> MemoryState:
    return MemoryState(history=HISTORY, gap=2)


class Watchers:
    """Opens feeds of one service, which are closed after the test."""

    def __init__(self, state: MemoryState, opened: AsyncExitStack) -> None:
        self._state = state
        self._opened = opened
        self._broadcast = Broadcast(aggregated=True)

    async def join(self, *, api_version: int = 1, query: Query | None = None, contents: bool = False) -> WatchFeed:
        options = WatchKindOptions(query=query or Query(), bootstrap_contents=contents)
        watch = await self._opened.enter_async_context(self._state.watch_kind(PathResource.kind(), options))
        return WatchFeed(watch, api_version, self._broadcast)


@pytest.fixture
async def watchers(state: MemoryState) -> AsyncIterator[Watchers]:
    async with AsyncExitStack() as opened:
        yield Watchers(state, opened)


def told(frames: bytes | None) -> list[tuple[str, EventType]]:
    """Return whom the events of one response are about, and what they say."""
    assert frames is not None
    (message,) = messages(frames)
    events = state_pb2.WatchResponse.FromString(message).event
    return [(event.resource.metadata.id, EventType(event.event_type)) for event in events]


def labelled(key: str) -> Query:
    return Query((LabelQuery((LabelTerm(key, Operation.EXISTS, ()),)),))


async def create(state: MemoryState, id: str, *labels: str, size: int = 1) -> None:
    resource = path(id).with_spec(PathSpec(path="x" * size))
    await state.create(resource.with_metadata(resource.metadata.with_labels(**dict.fromkeys(labels, ""))))


async def test_all_that_is_pending_is_taken_at_once_and_then_nothing(state: MemoryState, watchers: Watchers) -> None:
    feed = await watchers.join()
    assert feed.take() == b""

    await create(state, "a")
    await create(state, "b")

    assert told(feed.take()) == [("a", EventType.CREATED), ("b", EventType.CREATED)]
    assert feed.take() == b""


async def test_watchers_who_are_told_the_same_share_its_bytes(state: MemoryState, watchers: Watchers) -> None:
    feeds = [await watchers.join() for _ in range(3)]
    for batch in ("a", "bc"):
        for id in batch:
            await create(state, id)

        first, second, third = [feed.take() for feed in feeds]

        assert first
        assert first is second is third


async def test_watchers_who_are_told_almost_the_same_do_not(state: MemoryState, watchers: Watchers) -> None:
    left, right = [await watchers.join(query=labelled(key)) for key in ("left", "right")]
    await create(state, "a", "left", "right")
    await create(state, "b", "left")
    await create(state, "c", "right")
    await create(state, "d", "left", "right")

    assert [id for id, _ in told(left.take())] == ["a", "b", "d"]
    assert [id for id, _ in told(right.take())] == ["a", "c", "d"]


async def test_a_watcher_who_has_fallen_behind_is_told_all_of_it(state: MemoryState, watchers: Watchers) -> None:
    slow, quick = await watchers.join(), await watchers.join()
    await create(state, "a")
    quick.take()
    await create(state, "b")
    quick.take()

    assert [id for id, _ in told(slow.take())] == ["a", "b"]


async def test_what_does_not_fit_one_response_is_taken_in_turns(state: MemoryState, watchers: Watchers) -> None:
    size = codec.MAX_FRAME_BYTES // 5  # and as much again as YAML
    for id in "abcde":
        await create(state, id, size=size)
    feed, bell = await watchers.join(contents=True), Bell()

    first = feed.take()
    feed.when_ready(bell)
    assert bell.done()
    responses = [first, feed.take(), feed.take()]

    assert [[id for id, _ in told(each)] for each in responses] == [["a", "b"], ["c", "d"], ["e", ""]]
    assert all(each is not None and len(each) <= codec.MAX_FRAME_BYTES for each in responses)
    assert feed.take() == b""


async def test_one_event_too_large_for_a_response_has_one_to_itself(state: MemoryState, watchers: Watchers) -> None:
    feed = await watchers.join()
    for id, size in (("a", 1), ("b", codec.MAX_FRAME_BYTES), ("c", 1)):
        await create(state, id, size=size)

    responses = [feed.take() for _ in range(3)]

    assert [[id for id, _ in told(each)] for each in responses] == [["a"], ["b"], ["c"]]


async def test_a_watcher_is_told_when_something_happened_and_not_before(state: MemoryState, watchers: Watchers) -> None:
    feed, bell, forgotten = await watchers.join(), Bell(), Bell()
    feed.when_ready(bell)
    feed.when_ready(forgotten)
    feed.forget(forgotten)
    assert not bell.done()

    await create(state, "a")

    assert bell.done()
    assert not forgotten.done()


async def test_an_overrun_watcher_is_told_so_and_that_is_the_end(state: MemoryState, watchers: Watchers) -> None:
    feed = await watchers.join()
    for number in range(2 * HISTORY):
        await create(state, f"p{number}")

    assert [type for _, type in told(feed.take())] == [EventType.ERRORED]
    assert feed.take() is None


async def test_a_client_of_api_version_0_is_not_told_what_it_would_not_understand(
    state: MemoryState, watchers: Watchers
) -> None:
    feed, empty = await watchers.join(api_version=0), await watchers.join(api_version=0, contents=True)
    assert empty.take() == b""

    for number in range(2 * HISTORY):
        await create(state, f"p{number}")

    assert feed.take() == b""
    assert feed.take() is None
