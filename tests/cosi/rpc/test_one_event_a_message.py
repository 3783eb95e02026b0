"""Clients made before a message could hold several events read one in each: they would take many for one, merged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.service import NAME
from cosi.rpc.serving import serving
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import IntResource, integer, sample_registry

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 5.0
TYPE = IntResource.definition.type


@pytest.fixture
def core() -> State:
    return State(MemoryState())


@pytest.fixture
async def channel(core: State, tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    where = Address(path=str(tmp_path / "cosi.sock"))
    async with serving(core, sample_registry(), [where]), grpc.aio.insecure_channel(where.target) as channel:
        yield channel


@pytest.mark.parametrize("api_version", [0, 1])
async def test_a_client_that_asks_for_no_aggregation_is_told_one_event_in_each_message(
    core: State, channel: grpc.aio.Channel, api_version: int
) -> None:
    for id in "abc":
        await core.create(integer(id, 1))

    assert await _counts(channel, 3, api_version=api_version, options={"bootstrap_contents": True}) == [1, 1, 1]
    assert await _counts(channel, 3, api_version=api_version, options={"tail_events": 3}) == [1, 1, 1]


async def test_so_it_is_in_a_watch_of_one_resource(core: State, channel: grpc.aio.Channel) -> None:
    stored = await core.create(integer("a", 1))
    await core.update(await core.update(stored))

    assert await _counts(channel, 3, id="a", options={"tail_events": 3}) == [1, 1, 1]


async def test_a_client_that_asks_for_aggregation_is_told_all_that_is_pending_at_once(
    core: State, channel: grpc.aio.Channel
) -> None:
    for id in "abc":
        await core.create(integer(id, 1))

    assert await _counts(channel, 3, api_version=1, options={"tail_events": 3, "aggregated": True}) == [3]


async def _counts(channel: grpc.aio.Channel, events: int, *, options: dict[str, Any], **request: Any) -> list[int]:
    """Return how many events each message holds, until there were so many."""
    stream: Any = channel.unary_stream(f"/{NAME}/{Method.WATCH}")
    message = state_pb2.WatchRequest(
        namespace="default", type=TYPE, options=state_pb2.WatchOptions(**options), **request
    )
    call = stream(message.SerializeToString())
    counts: list[int] = []
    with anyio.fail_after(PATIENCE_SECONDS):
        assert await call.read() == b""
        while sum(counts) < events:
            counts.append(len(state_pb2.WatchResponse.FromString(await call.read()).event))
    call.cancel()
    return counts
