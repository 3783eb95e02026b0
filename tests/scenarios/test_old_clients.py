"""Clients from before nodes were asked one by one name several in one call: one answer then tells them apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.http2.status import Code
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2
from tests.scenarios.cluster import Cluster, call
from tests.talosctl.talosctl import MACHINE, STATE
from tests.talosctl.wire import CallFailed

pytestmark = pytest.mark.anyio


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


async def test_old_clients_ask_several_nodes_in_one_call(cluster: Cluster) -> None:
    async with cluster.node("a"), cluster.node("b"), cluster.login("a").talosctl() as client:
        answer = await call(client, f"{MACHINE}/Hostname", Empty(), [("nodes", each) for each in ("a", "b", "c")])

    first, second, third = machine_pb2.HostnameResponse.FromString(answer).messages
    assert [(each.metadata.hostname, each.hostname) for each in (first, second)] == [("a", "a"), ("b", "b")]
    assert third.metadata.hostname == "c"
    assert third.metadata.status.code == Code.UNAVAILABLE
    assert third.metadata.error.startswith("rpc error: code = Unavailable desc = c can't be reached: ")


async def test_old_clients_are_streamed_the_answers_of_several_nodes(cluster: Cluster) -> None:
    request = machine_pb2.ReadRequest(path="/proc/sys/kernel/random/boot_id").SerializeToString()
    metadata = [("nodes", each) for each in ("a", "b", "c")]
    async with cluster.node("a"), cluster.node("b"), cluster.login("a").talosctl() as client:
        answers = client.raw(f"{MACHINE}/Read", request, metadata=metadata)
        parts = [common_pb2.Data.FromString(each) async for each in answers]

    assert {part.metadata.hostname for part in parts if part.bytes} == {"a", "b"}
    assert [part.metadata.status.code for part in parts if part.metadata.hostname == "c"] == [Code.UNAVAILABLE]


async def test_state_is_asked_of_one_node_at_a_time(cluster: Cluster) -> None:
    async with cluster.node("a"), cluster.login("a").talosctl() as client:
        with pytest.raises(CallFailed) as refused:
            await call(client, f"{STATE}/List", state_pb2.ListRequest(), [("nodes", "a"), ("nodes", "b")])

    assert refused.value.code == Code.INVALID_ARGUMENT
    assert refused.value.message == "one-2-many proxying is not supported for method /cosi.resource.State/List"
