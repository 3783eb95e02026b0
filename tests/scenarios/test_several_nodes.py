"""A call names its node and is answered by that one, whichever of them it was made to, and in its caller's roles."""

from __future__ import annotations

import datetime
from contextlib import aclosing, suppress
from pathlib import Path

import anyio
import pytest
from google.protobuf.empty_pb2 import Empty

from controllers.member import MemberController
from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.http2.status import Code
from machined.address_book import Peer
from machined.peers import CALLS_OF_A_CLIENT
from resources.member import Member
from talos._pb.machine import machine_pb2
from talos.access.authorities import Authorities
from talos.access.roles import Role
from tests.scenarios.cluster import Cluster, call, hostname
from tests.scenarios.test_access_matrix import NOT_PROTOBUF, passes
from tests.scenarios.test_network_door import until
from tests.talos.access.test_roles import RULES
from tests.talosctl.talosctl import MACHINE, STATE, Talosctl
from tests.talosctl.wire import CallFailed

POLL_SECONDS = 0.05
SECRET = state_pb2.ListRequest(namespace="config", type="MachineConfigs.config.talos.dev")

pytestmark = pytest.mark.anyio


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


async def soon(client: Talosctl, node: str) -> str:
    """Ask a node that is coming back what it is called, until it answers."""
    while True:
        with suppress(CallFailed):
            return await hostname(client, node)
        await anyio.sleep(POLL_SECONDS)


async def test_every_name_and_address_of_a_node_means_that_node(cluster: Cluster) -> None:
    async with cluster.running(), cluster.login("a").talosctl() as client:
        answers = {
            target: await hostname(client, target)
            for target in ("a", "b", "c", "B", "127.0.0.2", "127.0.0.3", "127.0.0.4", "localhost")
        }

    assert answers == {
        "a": "a", "b": "b", "c": "c", "B": "b",
        "127.0.0.2": "a", "127.0.0.3": "b", "127.0.0.4": "c", "localhost": "a",
    }  # fmt: skip


async def test_a_node_is_called_by_its_name_without_the_domain_as_well(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, ["one.example", "two"])
    async with cluster.node("one.example"), cluster.login("one.example").talosctl() as client:
        answers = [await hostname(client, node) for node in ("one.example", "one")]

    assert answers == ["one.example", "one.example"]


async def test_get_over_all_nodes_shows_the_members_that_each_knows(cluster: Cluster) -> None:
    async with cluster.running(), cluster.login("a").talosctl("a", "b", "c") as client:
        found = await client.get("members")

    members = {(node, resource.metadata.id) for node, resource in found}
    assert members == {(node, member) for node in "abc" for member in "abc"}
    assert "addresses:\n    - 127.0.0.3\nhostname: b\n" in next(
        resource.spec.yaml_spec for node, resource in found if node == "a" and resource.metadata.id == "b"
    )


async def test_a_watch_streams_through_another_node(cluster: Cluster) -> None:
    async with (
        cluster.node("a"),
        cluster.node("b") as state,
        cluster.login("a").talosctl("b") as client,
        aclosing(client.watch("members")) as events,
    ):
        told = {(await anext(events)).resource.metadata.id for _ in "abc"}
        bootstrapped = await anext(events)
        await state.destroy(Member.pointer_to("c"), owner=MemberController.name)
        last = await anext(events)

    assert told == {"a", "b", "c"}
    assert bootstrapped.event_type == state_pb2.BOOTSTRAPPED
    assert (last.event_type, last.resource.metadata.id) == (state_pb2.DESTROYED, "c")


async def test_calls_that_were_given_up_leave_room_for_others(cluster: Cluster) -> None:
    async with cluster.node("a"), cluster.node("b"), cluster.login("a").talosctl("b") as client:
        for _ in range(CALLS_OF_A_CLIENT + 1):
            request = state_pb2.WatchRequest(namespace="cluster", type="Members.cluster.talos.dev", api_version=1)
            async with aclosing(client.stream(f"{STATE}/Watch", request, state_pb2.WatchResponse)) as events:
                await anext(events)


@pytest.mark.parametrize("role", Role)
async def test_a_role_opens_over_another_node_exactly_what_is_its(cluster: Cluster, role: Role) -> None:
    async with cluster.node("a"), cluster.node("b"), cluster.login("a", role).talosctl("b") as client:
        passed = {path for path in RULES if await passes(client, path, NOT_PROTOBUF)}

    assert passed == {path for path, allowed in RULES.items() if role in allowed}


async def test_a_reader_stays_a_reader_wherever_the_call_goes(cluster: Cluster) -> None:
    async with cluster.running(), cluster.login("a", "os:reader").talosctl() as client:
        for node in "abc":
            assert await hostname(client, node) == node
            with pytest.raises(CallFailed) as refused:
                await client.unary(f"{STATE}/List", SECRET, state_pb2.ListResponse, node)
            assert (refused.value.code, refused.value.message) == (Code.PERMISSION_DENIED, "not authorized")


async def test_roles_that_a_client_claims_for_itself_count_nowhere(cluster: Cluster) -> None:
    async with cluster.running(), cluster.login("a", "os:reader").talosctl() as client:
        for node in "ab":
            with pytest.raises(CallFailed) as refused:
                await call(client, f"{STATE}/List", SECRET, [("node", node), ("talos-role", "os:admin")])
            assert refused.value.code == Code.PERMISSION_DENIED


async def test_an_administrator_is_one_on_every_node(cluster: Cluster) -> None:
    async with cluster.running(), cluster.login("a").talosctl() as client:
        for node in "abc":
            await call(client, f"{STATE}/List", SECRET, [("node", node)])


async def test_an_unknown_node_is_said_with_those_that_are_known(cluster: Cluster) -> None:
    async with cluster.node("a"), cluster.login("a").talosctl() as client:
        with pytest.raises(CallFailed) as refused:
            await hostname(client, "10.0.0.9")

    assert refused.value.code == Code.UNAVAILABLE
    assert refused.value.message.startswith("a knows no node '10.0.0.9', only a, b, c: name one of these")


async def test_an_error_comes_back_in_the_words_of_the_node_that_had_it(cluster: Cluster) -> None:
    request = state_pb2.GetRequest(namespace="config", type="ConfigStatuses.extensions.cosi.dev", id="nothing")
    async with cluster.running():
        async with cluster.login("a").talosctl() as client:
            with pytest.raises(CallFailed) as over_a:
                await client.unary(f"{STATE}/Get", request, state_pb2.GetResponse, "b")
        async with cluster.login("b").talosctl() as client:
            with pytest.raises(CallFailed) as at_b:
                await client.unary(f"{STATE}/Get", request, state_pb2.GetResponse, "b")

    assert over_a.value.code == Code.NOT_FOUND
    assert over_a.value.args == at_b.value.args
    assert over_a.value.trailers == at_b.value.trailers
    assert over_a.value.trailers["cosi-error"] == "NotFound"


async def test_a_node_that_is_down_is_said_and_answers_when_it_is_back(cluster: Cluster) -> None:
    async with cluster.node("a"), cluster.login("a").talosctl() as client:
        async with cluster.node("b"):
            assert await hostname(client, "b") == "b"
        with pytest.raises(CallFailed) as refused:
            await hostname(client, "b")
        async with cluster.node("b"):
            assert await soon(client, "b") == "b"

    assert refused.value.code == Code.UNAVAILABLE
    assert refused.value.message.startswith("b can't be reached: ")


async def test_calls_are_passed_on_under_a_new_authority(cluster: Cluster) -> None:
    async with cluster.node("a"):
        async with cluster.node("b"), cluster.login("a").talosctl() as before:
            assert await hostname(before, "b") == "b"
        cluster.authorities.begin_rotation(datetime.datetime.now(datetime.UTC))
        cluster.authorities.finish_rotation()
        await until(cluster.login("a"), lets_in=True)
        async with cluster.node("b"), cluster.login("a").talosctl() as after:
            assert await soon(after, "b") == "b"


async def test_a_watch_ends_with_the_node_that_it_is_of(cluster: Cluster) -> None:
    async with cluster.node("a"), cluster.login("a").talosctl("b") as client:
        async with cluster.node("b"):
            events = client.watch("configstatus")
            await anext(events)
        with pytest.raises(CallFailed) as ended:
            async for _ in events:
                pass

    assert ended.value.code in (Code.UNAVAILABLE, Code.CANCELLED)


async def test_a_call_that_was_passed_on_goes_no_further(cluster: Cluster) -> None:
    async with cluster.running(), cluster.login("a").talosctl() as client:
        answer = await call(client, f"{MACHINE}/Hostname", Empty(), [("node", "b"), ("proxyfrom", "c")])

    assert machine_pb2.HostnameResponse.FromString(answer).messages[0].hostname == "a"


async def test_nodes_that_are_told_nonsense_of_each_other_send_no_call_in_circles(cluster: Cluster) -> None:
    a, b = cluster.address("a"), cluster.address("b")
    async with (
        cluster.node("a", peers=[Peer("x", b), Peer("me", a)]),
        cluster.node("b", peers=[Peer("x", a)]),
        cluster.login("a").talosctl() as client,
    ):
        answers = [await hostname(client, node) for node in ("x", "me")]

    assert answers == ["b", "a"]


async def test_nobody_is_taken_for_a_peer_who_has_another_authority(cluster: Cluster) -> None:
    impostor = cluster.directory / "b/state/pki"
    impostor.mkdir(parents=True)
    Authorities(impostor).ensure(datetime.datetime.now(datetime.UTC))
    async with cluster.node("a"), cluster.node("b"), cluster.login("a").talosctl() as client:
        with pytest.raises(CallFailed) as refused:
            await hostname(client, "b")

    assert refused.value.code == Code.UNAVAILABLE
    assert refused.value.message.startswith("b can't be reached: the certificate of 127.0.0.3:")
