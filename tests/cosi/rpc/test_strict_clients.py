"""What clients of other makes insist on: resources that they can parse in every event, and bookmarks that skip nothing.

The Go runtime's client ends a watch if a resource in it lacks metadata or a spec, or says a version or a phase that it
does not know; and it resumes from the bookmark of the last event, whatever the event.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource.metadata import Phase
from cosi.rpc.address import Address
from cosi.rpc.serving import serving
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, integer, sample_registry
from tests.cosi.rpc.test_fidelity import Client

pytestmark = pytest.mark.anyio

HISTORY_EVENTS = 8
TYPE = IntResource.definition.type
POINTER = IntResource.pointer_to("a")
LABELS = [resource_pb2.LabelQuery(terms=[resource_pb2.LabelTerm(key="app")])]


@pytest.fixture
def core() -> State:
    return State(MemoryState(history=HISTORY_EVENTS, gap=2))


@pytest.fixture
async def client(core: State, tmp_path: Path) -> AsyncIterator[Client]:
    where = Address(path=str(tmp_path / "cosi.sock"))
    async with serving(core, sample_registry(), [where]), grpc.aio.insecure_channel(where.target) as channel:
        yield Client(channel)


async def test_every_resource_in_an_event_can_be_parsed(client: Client, core: State) -> None:
    start: dict[str, Any] = {"bootstrap_contents": True, "bootstrap_bookmark": True}
    async with client.watch(TYPE, id="a") as of_one, client.watch(TYPE, **start) as of_kind:
        await core.create(integer("a", 1))
        await core.add_finalizers(POINTER, "F")
        await core.teardown(POINTER)
        await core.remove_finalizers(POINTER, "F")
        await core.destroy(POINTER)
        told = [*[await anext(of_one) for _ in range(6)], *[await anext(of_kind) for _ in range(7)]]

    assert {event.event_type for event in told} == set(state_pb2.EventType.values()) - {state_pb2.ERRORED}
    for event in told:
        assert event.HasField("resource")
        _can_be_parsed(event.resource)
        if event.HasField("old"):
            _can_be_parsed(event.old)


async def test_what_was_there_before_carries_no_bookmark_because_the_rest_of_it_would_be_skipped(
    client: Client, core: State
) -> None:
    for id in "abc":
        await core.create(integer(id, 1))

    async with client.watch(TYPE, id="a") as of_one, client.watch(TYPE, bootstrap_contents=True) as of_kind:
        first, *contents, bootstrapped = [await anext(of_one), *[await anext(of_kind) for _ in range(4)]]

    assert [event.event_type for event in (first, *contents)] == [state_pb2.CREATED] * 4
    assert not any(event.HasField("bookmark") for event in (first, *contents))
    assert bootstrapped.event_type == state_pb2.BOOTSTRAPPED
    assert bootstrapped.bookmark


async def test_a_client_of_api_version_0_is_told_its_first_bookmark(client: Client) -> None:
    async with client.watch(TYPE, api_version=0, bootstrap_bookmark=True) as events:
        first = await anext(events)

    assert first.event_type == state_pb2.NOOP
    assert first.bookmark


async def test_a_bookmark_that_was_overrun_is_a_failed_precondition(client: Client, core: State) -> None:
    stored = await core.create(integer("a", 1))
    async with client.watch(TYPE, tail_events=1) as events:
        bookmark = (await anext(events)).bookmark
    for _ in range(HISTORY_EVENTS):
        stored = await core.update(stored)

    assert await _refusal(client, start_from_bookmark=bookmark) is grpc.StatusCode.FAILED_PRECONDITION
    assert await _refusal(client, id="a", start_from_bookmark=bookmark) is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    "options", [{"label_query": LABELS}, {"bootstrap_contents": True}], ids=lambda it: next(iter(it))
)
async def test_a_watch_of_one_resource_says_what_it_does_not_do(client: Client, options: dict[str, Any]) -> None:
    assert await _refusal(client, id="a", **options) is grpc.StatusCode.UNIMPLEMENTED


async def test_a_watch_of_one_resource_ignores_what_else_is_about_kinds(client: Client, core: State) -> None:
    stored = await core.create(integer("a", 1))
    about_kinds: dict[str, Any] = {
        "id_query": resource_pb2.IDQuery(regexp="^b$"),
        "bootstrap_bookmark": True,
        "aggregated": True,
    }

    async with client.watch(TYPE, id="a", **about_kinds) as events:
        first = await anext(events)
        await core.update(stored)
        second = await anext(events)

    assert [event.event_type for event in (first, second)] == [state_pb2.CREATED, state_pb2.UPDATED]


async def _refusal(client: Client, **options: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        async with client.watch(TYPE, **options):
            pass
    return refusal.value.code()


def _can_be_parsed(resource: resource_pb2.Resource) -> None:
    assert resource.HasField("metadata")
    assert resource.HasField("spec")
    assert resource.metadata.type == TYPE
    assert resource.metadata.version == "undefined" or resource.metadata.version.isdecimal()
    assert resource.metadata.phase in set(Phase)
    assert resource.metadata.HasField("created")
    assert resource.metadata.HasField("updated")
