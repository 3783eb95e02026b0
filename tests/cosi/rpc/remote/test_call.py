"""A call of any method carries what its caller gave it, and says all that the server said at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.call import CallEnded, RemoteCall
from cosi.rpc.remote.channel import Channel, open_channel
from cosi.rpc.serving import serving_services
from tests.cosi.rpc.sample_service import Sample, path

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Servers need asyncio."""
    return "asyncio"


@asynccontextmanager
async def reached(sample: Sample, where: Address) -> AsyncIterator[Channel]:
    async with serving_services([sample.service], [where]), open_channel(where, None) as channel:
        yield channel


async def test_metadata_and_the_time_left_go_along(where: Address) -> None:
    sample = Sample()
    async with reached(sample, where) as channel:
        metadata = (("node", "a"), ("node", "b"), ("key-bin", b"\x00\xff"))
        call = RemoteCall(channel, path("Echo"), b"hello", metadata=metadata, timeout_seconds=60)
        answers = [await call.read(), await call.read()]

    (seen,) = sample.calls
    assert answers == [b"hello", None]
    assert [each for each in seen.metadata if each[0] != "user-agent"] == [*metadata]
    assert seen.deadline is not None


async def test_what_has_arrived_is_read_without_waiting(where: Address) -> None:
    async with reached(Sample(), where) as channel:
        call = RemoteCall(channel, path("Split"), b"abc")
        read = [await call.read(), *call.arrived()]
        while (message := await call.read()) is not None:
            read += [message, *call.arrived()]

    assert read == [b"a", b"b", b"c", b"", b"end"]


async def test_the_end_has_code_message_and_trailers(where: Address) -> None:
    async with reached(Sample(), where) as channel:
        with pytest.raises(CallEnded) as failure:
            await RemoteCall(channel, path("Refuse"), b"").read()

    ended = failure.value.ended
    assert (ended.code, ended.message) == (Code.DATA_LOSS, "gone: é %")
    assert (b"where", b"nowhere") in ended.trailers


async def test_a_call_that_is_closed_ends_at_the_server(where: Address) -> None:
    sample = Sample()
    async with reached(sample, where) as channel:
        call = RemoteCall(channel, path("Feed"), b"")
        assert await call.read() == b"before"
        call.close()
        await sample.ended.wait()
