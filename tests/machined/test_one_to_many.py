"""The answers of several nodes become one, each with its node's name, and nothing in them is lost."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.call import RemoteCall
from cosi.rpc.remote.channel import open_channel
from cosi.rpc.seam import Call, Feed, Frames, Refusal, Service, frame, messages
from cosi.rpc.serving import serving_services
from machined.one_to_many import Asked, addressed_to, failure, interleaved, joined, named, named_part
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2
from tests.cosi.rpc.sample_service import Letters


@given(st.lists(st.text(), max_size=4))
def test_a_name_is_added_and_the_rest_kept(hostnames: list[str]) -> None:
    answer = machine_pb2.HostnameResponse(messages=[machine_pb2.Hostname(hostname=each) for each in hostnames])

    read = machine_pb2.HostnameResponse.FromString(named(answer.SerializeToString(), "b"))

    assert [(each.metadata.hostname, each.hostname) for each in read.messages] == [("b", each) for each in hostnames]


@given(st.binary())
def test_a_part_of_a_stream_is_named_as_well(content: bytes) -> None:
    part = named_part(common_pb2.Data(bytes=content).SerializeToString(), "b")

    read = common_pb2.Data.FromString(part)

    assert (read.metadata.hostname, read.bytes) == ("b", content)


def test_what_is_no_answer_is_refused() -> None:
    with pytest.raises(Refusal, match="the answer of b has no room for its name"):
        named(b"\xff", "b")


def test_a_failure_reads_as_go_writes_it_and_has_its_code() -> None:
    reply = failure(Refusal(Code.PERMISSION_DENIED, "not authorized"), "b").metadata

    assert reply.error == "rpc error: code = PermissionDenied desc = not authorized"
    assert (reply.hostname, reply.status.code, reply.status.message) == ("b", 7, "not authorized")


def test_each_node_is_asked_as_if_alone() -> None:
    call = Call([("nodes", "a"), ("nodes", "b"), ("runtime", "Talos")], 5.0)

    assert addressed_to("b", call) == Call([("runtime", "Talos"), ("node", "b")], 5.0)


@pytest.mark.anyio
async def test_replies_come_in_the_order_in_which_nodes_were_named() -> None:
    first_may = anyio.Event()

    async def slow(_: bytes, __: Call) -> AsyncGenerator[Frames | Feed, None]:
        await first_may.wait()
        yield _hostname("slow")

    async def quick(_: bytes, __: Call) -> AsyncGenerator[Frames | Feed, None]:
        first_may.set()
        yield _hostname("quick")

    answer = await joined([Asked("a", slow), Asked("b", quick), Asked("c", _broken)], b"", Call())

    (message,) = messages(answer)
    replies = machine_pb2.HostnameResponse.FromString(message).messages
    assert [(each.metadata.hostname, each.hostname) for each in replies] == [("a", "slow"), ("b", "quick"), ("c", "")]


@pytest.mark.anyio
async def test_streams_run_side_by_side_and_a_failure_ends_only_its_own() -> None:
    letters = Letters(_data(b"1"))

    async def feeding(_: bytes, __: Call) -> AsyncGenerator[Frames | Feed, None]:
        yield letters

    parts = []
    async with aclosing(interleaved([Asked("a", feeding), Asked("b", _broken)], b"", Call())) as answers:
        for _ in range(2):
            parts += [common_pb2.Data.FromString(each) for each in messages(await anext(answers))]
        letters.put(_data(b"2"))
        letters.put(None)
        parts += [common_pb2.Data.FromString(each) async for frames in answers for each in messages(frames)]

    assert [each.bytes for each in parts if each.metadata.hostname == "a"] == [b"1", b"2"]
    assert [each.metadata.error for each in parts if each.metadata.hostname == "b"] == [
        "rpc error: code = DataLoss desc = gone"
    ]


@pytest.mark.anyio
async def test_who_stops_reading_stops_all_nodes() -> None:
    stopped = anyio.Event()

    async def endless(_: bytes, __: Call) -> AsyncGenerator[Frames | Feed, None]:
        try:
            while True:
                yield _data(b"x")
        finally:
            stopped.set()

    async with aclosing(interleaved([Asked("a", endless)], b"", Call())) as answers:
        await anext(answers)

    assert stopped.is_set()


@pytest.mark.anyio
async def test_a_client_that_leaves_stops_all_nodes(tmp_path: Path) -> None:
    stopped = anyio.Event()

    async def endless(_: bytes, __: Call) -> AsyncGenerator[Frames | Feed, None]:
        try:
            while True:
                yield _data(b"x")
                await anyio.lowlevel.checkpoint()
        finally:
            stopped.set()

    def from_all(request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        return interleaved([Asked("a", endless), Asked("b", _broken)], request, call)

    address = Address(path=str(tmp_path / "socket"))
    service = Service("test.Service", server_streaming={"FromAll": from_all})
    async with serving_services([service], [address]), open_channel(address, None) as channel:
        call = RemoteCall(channel, "/test.Service/FromAll", b"")
        await call.read()
        call.close()
        await stopped.wait()


def _hostname(name: str) -> Frames:
    return frame(machine_pb2.HostnameResponse(messages=[machine_pb2.Hostname(hostname=name)]).SerializeToString())


def _data(content: bytes) -> Frames:
    return frame(common_pb2.Data(bytes=content).SerializeToString())


async def _broken(_: bytes, __: Call) -> AsyncGenerator[Frames | Feed, None]:
    raise Refusal(Code.DATA_LOSS, "gone")
    yield b""
