"""Whoever looks after a server is told that it is well, and of which services."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from cosi.rpc import health
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Refusal, messages
from cosi.state import errors
from tests.cosi.rpc.calling import Bell, unary

pytestmark = pytest.mark.anyio

SERVICE = health.service(["test.Service"])
SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def request(name: str) -> bytes:
    message: Message = health_pb2.HealthCheckRequest(service=name)
    return message.SerializeToString()


@pytest.mark.parametrize("name", ["", "test.Service", "grpc.health.v1.Health"])
async def test_what_is_served_is_well(name: str) -> None:
    answer = health_pb2.HealthCheckResponse.FromString(await unary(SERVICE, "Check", request(name)))

    assert answer.status == SERVING


async def test_what_is_not_served_is_not_found() -> None:
    with pytest.raises(Refusal) as refused:
        await unary(SERVICE, "Check", request("x" * 1000))

    assert refused.value.code is Code.NOT_FOUND
    assert refused.value.message == f"unknown service '{'x' * 100}'"


async def test_all_that_is_served_is_listed() -> None:
    answer = health_pb2.HealthListResponse.FromString(await unary(SERVICE, "List", b""))

    assert {name: each.status for name, each in answer.statuses.items()} == dict.fromkeys(
        ("", "test.Service", "grpc.health.v1.Health"), SERVING
    )


@pytest.mark.parametrize(("name", "status"), [("test.Service", SERVING), ("nonsense", SERVICE_UNKNOWN)])
async def test_a_watch_says_how_it_is_and_stays_open_without_a_word(name: str, status: int) -> None:
    bell = Bell()
    async with aclosing(SERVICE.server_streaming["Watch"](request(name), Call())) as parts:
        first, feed = await anext(parts), await anext(parts)

        assert isinstance(first, bytes)
        assert isinstance(feed, Feed)
        assert [health_pb2.HealthCheckResponse.FromString(each).status for each in messages(first)] == [status]
        feed.when_ready(bell)
        assert feed.take() == b""
        assert not bell.done()
        feed.forget(bell)


@pytest.mark.parametrize("method", ["Check", "List"])
async def test_a_request_that_is_none_is_refused(method: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"^not a grpc\.health\.v1\.Health\w+Request"):
        await unary(SERVICE, method, b"\xff")
