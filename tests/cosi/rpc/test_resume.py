"""A watch whose connection breaks goes on where it was: no event is lost, none comes twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import anyio
import grpc
import pytest
from structlog.testing import capture_logs

from cosi._pb.v1alpha1 import state_pb2
from cosi.resource.query import exists, where
from cosi.resource.registry import Registry
from cosi.rpc import codec
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.state import errors
from cosi.state.core import Watch, WatchKindOptions
from cosi.state.event import Event, EventType
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathResource, path, sample_registry
from tests.cosi.rpc.breakable_proxy import breakable
from tests.cosi.rpc.scripted_server import Context, Script, scripted

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20.0
KIND = PathResource.kind()
POINTER = PathResource.pointer_to("a")
BOOTSTRAP = WatchKindOptions(bootstrap_contents=True)
WITH_BOOKMARK = WatchKindOptions(bootstrap_bookmark=True)
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.fixture
def here(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "cosi.sock"))


@pytest.fixture
def behind(tmp_path: Path) -> Address:
    return Address(path=str(tmp_path / "behind.sock"))


async def take(watch: Watch, count: int) -> list[Event]:
    """Return the next events, so many; fewer if the watch ends."""
    events: list[Event] = []
    with anyio.fail_after(PATIENCE_SECONDS):
        while len(events) < count and (batch := await watch.batch()):
            events.extend(batch)
    return events


def ids(events: Sequence[Event]) -> list[str]:
    return [event.resource.metadata.id for event in events if event.resource is not None]


async def error_of(watch: Watch) -> Exception | None:
    """Return the error that ends a watch; it must be its last event, and the only one."""
    with anyio.fail_after(PATIENCE_SECONDS):
        (event,) = [event async for event in watch]
    assert event.type is EventType.ERRORED
    return event.error


# --- real servers and real breaks ---


async def test_a_watch_outlives_its_server_and_tells_what_happened_meanwhile(here: Address) -> None:
    core, registry = MemoryState(), sample_registry()
    await core.create(path("before"))

    async with connected(here, registry) as remote:
        async with serving(core, registry, [here]):
            watching = remote.watch_kind(KIND, BOOTSTRAP)
            watch = await watching.__aenter__()
            contents = await take(watch, 2)
        await core.create(path("meanwhile"))
        async with serving(core, registry, [here]):
            first = await take(watch, 1)
            await core.create(path("after"))
            second = await take(watch, 1)
        await watching.__aexit__(None, None, None)

    assert ids(contents) == ["before", ""]
    assert ids(first + second) == ["meanwhile", "after"]


async def test_a_watch_of_a_state_that_came_back_empty_ends_with_an_invalid_bookmark(here: Address) -> None:
    registry = sample_registry()

    async with connected(here, registry) as remote:
        async with serving(MemoryState(), registry, [here]):
            watching = remote.watch_kind(KIND, WITH_BOOKMARK)
            watch = await watching.__aenter__()
            await take(watch, 1)
        async with serving(MemoryState(), registry, [here]):
            error = await error_of(watch)
        await watching.__aexit__(None, None, None)

    assert isinstance(error, errors.InvalidBookmark)


async def test_a_connection_that_breaks_again_and_again_loses_no_event_and_repeats_none(
    here: Address, behind: Address
) -> None:
    core, registry = MemoryState(), sample_registry()

    async with (
        serving(core, registry, [behind]),
        breakable(here, behind) as connection,
        connected(here, registry) as remote,
        remote.watch_kind(KIND, WITH_BOOKMARK) as of_kind,
        remote.watch(POINTER) as of_one,
    ):
        told, told_of_one = await take(of_kind, 1), await take(of_one, 1)
        stored = await core.create(path("a"))
        told_of_one += await take(of_one, 1)
        for round in range(4):
            for number in range(10):
                await core.create(path(f"{round}-{number}"))
                if number == 5:
                    await connection.cut()
            stored = await core.update(stored)
            told += await take(of_kind, 1)
        told += await take(of_kind, 2 + 4 * 11 - len(told))
        told_of_one += await take(of_one, 4)

    expected = ["a"] + [id for round in range(4) for id in [*(f"{round}-{number}" for number in range(10)), "a"]]
    assert ids(told)[1:] == expected
    versions = [event.resource.metadata.version for event in told_of_one if event.resource is not None]
    assert versions == [None, 1, 2, 3, 4, 5]


async def test_a_watch_from_a_bookmark_is_resumed_though_it_has_told_nothing_yet(
    here: Address, behind: Address
) -> None:
    core, registry = MemoryState(), sample_registry()

    async with (
        serving(core, registry, [behind]),
        breakable(here, behind) as connection,
        connected(here, registry) as remote,
    ):
        async with remote.watch_kind(KIND, WITH_BOOKMARK) as watch:
            (noop,) = await take(watch, 1)
        async with remote.watch_kind(KIND, WatchKindOptions(bookmark=noop.bookmark)) as watch:
            await connection.cut()
            await core.create(path("a"))
            events = await take(watch, 1)

    assert ids(events) == ["a"]


@pytest.mark.parametrize("resume", [True, False], ids=["no bookmark", "resume=False"])
async def test_a_watch_that_cannot_or_may_not_be_resumed_ends_with_unavailable(
    here: Address, behind: Address, resume: bool
) -> None:
    registry = sample_registry()

    async with (
        serving(MemoryState(), registry, [behind]),
        breakable(here, behind) as connection,
        connected(here, registry, resume=resume) as remote,
        remote.watch_kind(KIND, WatchKindOptions(bootstrap_bookmark=not resume)) as watch,
    ):
        if not resume:
            await take(watch, 1)
        await connection.cut()
        error = await error_of(watch)

    assert isinstance(error, errors.Unavailable)


# --- what exactly is asked ---


def event(id: str, bookmark: bytes = b"") -> bytes:
    """Return a message with one event."""
    return codec.event_entry(Event(EventType.CREATED, path(id), bookmark=bookmark))


class Episodes:
    """A server whose every watch goes as the next episode says: messages, then a status. The last one stays open."""

    def __init__(self, *episodes: tuple[Sequence[bytes], grpc.StatusCode]) -> None:
        self.requests: list[state_pb2.WatchRequest] = []
        self._episodes = list(episodes)

    @property
    def script(self) -> Script:
        return {Method.WATCH: self._watch}

    async def _watch(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        self.requests.append(state_pb2.WatchRequest.FromString(request))
        messages, status = self._episodes.pop(0)
        for message in messages:
            yield message
        if status is not grpc.StatusCode.OK:
            await context.abort(status, "their words")


async def test_a_resumed_watch_asks_for_the_same_but_right_after_the_bookmark(here: Address) -> None:
    server = Episodes(([b"", event("a", b"one")], UNAVAILABLE), ([b"", event("b")], grpc.StatusCode.OK))
    options = WatchKindOptions(query=where(exists("app")), tail_events=7)

    async with (
        scripted(here, server.script),
        connected(here, Registry()) as remote,
        remote.watch_kind(KIND, options) as watch,
    ):
        events = await take(watch, 2)
        error = await error_of(watch)

    first, second = server.requests
    assert ids(events) == ["a", "b"]
    assert isinstance(error, errors.Unavailable)  # b came without a bookmark
    assert second.options.start_from_bookmark == b"one"
    first.options.tail_events, first.options.start_from_bookmark = 0, b"one"
    assert second == first


async def test_an_operator_is_told_which_watch_broke_why_and_when_it_is_tried_again(here: Address) -> None:
    server = Episodes(([b"", event("a", b"one")], UNAVAILABLE), ([b"", event("b")], grpc.StatusCode.OK))

    with capture_logs() as log:
        async with scripted(here, server.script), connected(here, Registry()) as remote, remote.watch(POINTER) as watch:
            await take(watch, 2)

    (warning,) = log
    assert 0.25 <= warning.pop("backoff_seconds") <= 0.75
    assert warning == {
        "event": "watch broke, resuming",
        "log_level": "warning",
        "component": "rpc",
        "namespace": KIND.namespace,
        "type": KIND.type,
        "error": "their words",
    }


async def test_a_bootstrap_is_not_repeated(here: Address) -> None:
    bootstrapped = codec.event_entry(Event(EventType.BOOTSTRAPPED, bookmark=b"one"))
    server = Episodes(([b"", event("a") + bootstrapped], grpc.StatusCode.OK), ([b"", event("b")], UNAVAILABLE))
    options = WatchKindOptions(bootstrap_contents=True, bootstrap_bookmark=True)

    async with (
        scripted(here, server.script),
        connected(here, Registry()) as remote,
        remote.watch_kind(KIND, options) as watch,
    ):
        events = await take(watch, 3)

    again = server.requests[1].options
    assert ids(events) == ["a", "b"]
    assert (again.bootstrap_contents, again.bootstrap_bookmark, again.start_from_bookmark) == (False, False, b"one")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, errors.AccessDenied),
        (grpc.StatusCode.FAILED_PRECONDITION, errors.InvalidBookmark),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.LimitExceeded),
        (grpc.StatusCode.UNIMPLEMENTED, errors.Unsupported),
    ],
)
async def test_a_refusal_ends_the_watch_at_once(
    here: Address, status: grpc.StatusCode, error: type[errors.StateError]
) -> None:
    server = Episodes(([b"", event("a", b"one")], status))

    async with scripted(here, server.script), connected(here, Registry()) as remote, remote.watch(POINTER) as watch:
        await take(watch, 1)
        ended = await error_of(watch)

    assert type(ended) is error
    assert len(server.requests) == 1


async def test_an_answer_that_makes_no_sense_ends_the_watch_at_once(here: Address) -> None:
    server = Episodes(([b"", event("a", b"one"), b"\xff"], grpc.StatusCode.OK))

    async with scripted(here, server.script), connected(here, Registry()) as remote, remote.watch(POINTER) as watch:
        await take(watch, 1)
        ended = await error_of(watch)

    assert isinstance(ended, errors.ProtocolViolation)
    assert len(server.requests) == 1


async def test_a_reader_with_little_patience_does_not_keep_a_watch_from_being_resumed(here: Address) -> None:
    server = Episodes(([b"", event("a", b"one")], UNAVAILABLE), ([b"", event("b", b"two")], grpc.StatusCode.OK))

    async with (
        scripted(here, server.script),
        connected(here, Registry()) as remote,
        remote.watch_kind(KIND, WatchKindOptions(tail_events=1)) as watch,
    ):
        await take(watch, 1)
        events: Sequence[Event] = ()
        with anyio.fail_after(PATIENCE_SECONDS):
            while not events:
                with anyio.move_on_after(0.02):
                    events = await watch.batch()

    assert ids(events) == ["b"]
