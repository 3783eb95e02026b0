"""The State service as a client in another language sees it: the messages themselves, over a real connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.service import NAME
from cosi.rpc.serving import serving
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, integer, sample_registry

pytestmark = pytest.mark.anyio

_PATIENCE_SECONDS = 5.0
_HISTORY = 8
_KNOWN, _UNKNOWN = IntResource.definition.type, "Strangers.test.cosi.dev"
_NOW = 1_700_000_000_123_456_789
_TIME = Timestamp(seconds=1_700_000_000, nanos=123_456_789)
_FIVE, _FIVE_YAML = b"\x08\x05", "value: 5\n"


class Client:
    """What a generated client does, without our own."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def create(self, resource: resource_pb2.Resource, *, owner: str = "") -> resource_pb2.Resource:
        request = state_pb2.CreateRequest(resource=resource, options=state_pb2.CreateOptions(owner=owner))
        return state_pb2.CreateResponse.FromString(await self._unary(Method.CREATE, request)).resource

    async def update(self, resource: resource_pb2.Resource, **options: str) -> resource_pb2.Resource:
        request = state_pb2.UpdateRequest(new_resource=resource, options=state_pb2.UpdateOptions(**options))
        return state_pb2.UpdateResponse.FromString(await self._unary(Method.UPDATE, request)).resource

    async def get(self, type: str) -> resource_pb2.Resource:
        request = state_pb2.GetRequest(namespace="default", type=type, id="a")
        return state_pb2.GetResponse.FromString(await self._unary(Method.GET, request)).resource

    async def destroy(self, type: str) -> None:
        await self._unary(Method.DESTROY, state_pb2.DestroyRequest(namespace="default", type=type, id="a"))

    async def list(self, type: str) -> list[resource_pb2.Resource]:
        request = state_pb2.ListRequest(namespace="default", type=type)
        stream: Any = self._channel.unary_stream(f"/{NAME}/{Method.LIST}")
        return [
            state_pb2.ListResponse.FromString(answer).resource async for answer in stream(request.SerializeToString())
        ]

    @asynccontextmanager
    async def watch(
        self, type: str, *, id: str | None = None, api_version: int = 1, **options: Any
    ) -> AsyncIterator[AsyncIterator[state_pb2.Event]]:
        request = state_pb2.WatchRequest(
            namespace="default",
            type=type,
            id=id,
            api_version=api_version,
            options=state_pb2.WatchOptions(**options),
        )
        stream: Any = self._channel.unary_stream(f"/{NAME}/{Method.WATCH}")
        call = stream(request.SerializeToString())
        messages = aiter(call)
        try:
            with anyio.fail_after(_PATIENCE_SECONDS):
                assert await anext(messages) == b"", "the first message is empty and says that the watch is set up"
                yield _events(messages)
        finally:
            call.cancel()

    async def _unary(self, method: Method, request: Any) -> bytes:
        call: Any = self._channel.unary_unary(f"/{NAME}/{method}")
        answer: bytes = await call(request.SerializeToString())
        return answer


async def _events(messages: AsyncIterator[bytes]) -> AsyncIterator[state_pb2.Event]:
    async for message in messages:
        for event in state_pb2.WatchResponse.FromString(message).event:
            yield event


@pytest.fixture
def core() -> State:
    return State(MemoryState(history=_HISTORY, gap=2, clock=lambda: _NOW))


@pytest.fixture
async def address(core: State, tmp_path: Path) -> AsyncIterator[Address]:
    where = Address(path=str(tmp_path / "cosi.sock"))
    async with serving(core, sample_registry(), [where]):
        yield where


@pytest.fixture
async def client(address: Address) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(address.target) as channel:
        yield Client(channel)


def _resource(type: str = _KNOWN, *, proto: bytes = _FIVE, yaml: str = "") -> resource_pb2.Resource:
    return resource_pb2.Resource(
        metadata=resource_pb2.Metadata(
            namespace="default", type=type, id="a", version="undefined", phase="running", created=Timestamp(seconds=1)
        ),
        spec=resource_pb2.Spec(proto_spec=proto, yaml_spec=yaml),
    )


async def test_create_and_update_answer_with_version_times_and_owner(client: Client) -> None:
    created = await client.create(_resource(), owner="x.Owner")
    updated = await client.update(created, owner="x.Owner")

    for answer, version in ((created, "1"), (updated, "2")):
        assert (answer.metadata.version, answer.metadata.owner) == (version, "x.Owner")
        assert (answer.metadata.created, answer.metadata.updated) == (_TIME, _TIME)


async def test_every_time_has_its_nanoseconds(client: Client) -> None:
    async with client.watch(_KNOWN) as events:
        await client.create(_resource())
        event = await anext(events)

    for seen in (event.resource, await client.get(_KNOWN), *await client.list(_KNOWN)):
        assert (seen.metadata.created, seen.metadata.updated) == (_TIME, _TIME)


async def test_a_known_type_always_carries_yaml_whatever_was_sent(client: Client) -> None:
    async with client.watch(_KNOWN) as events:
        created = await client.create(_resource(yaml="value: 6\n"))
        created.spec.yaml_spec = ""
        updated = await client.update(created)
        creation, update = await anext(events), await anext(events)

    listed = await client.list(_KNOWN)
    for seen in (updated, creation.resource, update.resource, update.old, await client.get(_KNOWN), *listed):
        assert (seen.spec.proto_spec, seen.spec.yaml_spec) == (_FIVE, _FIVE_YAML)


async def test_an_unknown_type_comes_back_as_it_was_sent(client: Client) -> None:
    sent = _resource(_UNKNOWN, proto=b"\xff\x00 no protobuf", yaml="b:   1 # a comment\na: [1,  2]")
    async with client.watch(_UNKNOWN) as events:
        created = await client.create(sent)
        event = await anext(events)

    for seen in (created, event.resource, await client.get(_UNKNOWN), *await client.list(_UNKNOWN)):
        assert seen.spec == sent.spec


async def test_only_an_update_tells_what_was_before(client: Client) -> None:
    async with client.watch(_KNOWN, id="a") as events:
        missing = await anext(events)
        first = await client.create(_resource())
        second = await client.update(first)
        await client.destroy(_KNOWN)
        created, updated, destroyed = [await anext(events) for _ in range(3)]

    assert missing.event_type == state_pb2.DESTROYED
    assert (missing.resource.metadata.id, missing.resource.metadata.version) == ("a", "undefined")
    assert not missing.HasField("bookmark")
    assert (updated.resource, updated.old) == (second, first)
    assert destroyed.resource == second
    assert [event.HasField("old") for event in (missing, created, updated, destroyed)] == [False, False, True, False]
    assert all(event.bookmark for event in (created, updated, destroyed))


async def test_a_bookmark_survives_a_new_connection(client: Client, address: Address) -> None:
    async with client.watch(_KNOWN, bootstrap_contents=True) as events:
        bookmark = (await anext(events)).bookmark
    missed = await client.create(_resource())

    async with (
        grpc.aio.insecure_channel(address.target) as channel,
        Client(channel).watch(_KNOWN, start_from_bookmark=bookmark) as events,
    ):
        assert (await anext(events)).resource == missed


async def test_an_update_that_says_nothing_of_the_phase_is_made_in_any(client: Client) -> None:
    torn_down = _resource()
    torn_down.metadata.phase = "tearingDown"
    created = await client.create(torn_down)

    updated = await client.update(created)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await client.update(updated, expected_phase="running")

    assert updated.metadata.version == "2"
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_client_of_api_version_0_hears_neither_of_the_bootstrap_nor_of_the_overrun(
    client: Client, core: State
) -> None:
    stored = await core.create(integer("a", 0))
    async with client.watch(_KNOWN, api_version=0, bootstrap_contents=True) as events:
        first = await anext(events)
        for _ in range(_HISTORY + 1):
            stored = await core.update(stored)

        rest = [event async for event in events]

    assert (first.event_type, rest) == (state_pb2.CREATED, [])


async def test_a_client_of_api_version_1_hears_of_both(client: Client, core: State) -> None:
    stored = await core.create(integer("a", 0))
    async with client.watch(_KNOWN, bootstrap_contents=True) as events:
        first = [await anext(events) for _ in range(2)]
        for _ in range(_HISTORY + 1):
            stored = await core.update(stored)

        rest = [event async for event in events]

    assert [event.event_type for event in first] == [state_pb2.CREATED, state_pb2.BOOTSTRAPPED]
    assert [event.event_type for event in rest] == [state_pb2.ERRORED]
    assert rest[0].error.startswith("buffer overrun")
