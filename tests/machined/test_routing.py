"""Every call goes to exactly one place, or is refused with Talos's words: the decision as a table."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.rpc.seam import Peer as RpcPeer
from machined.address_book import AddressBook, Peer
from machined.maintenance import Maintenance
from machined.peers import Peers
from machined.routing import MAX_NODES, ONE_TO_MANY, Everywhere, Here, Router, There, destination, only_here
from talos.access.certificates import Authority
from talos.access.roles import METHODS, Role

B = Peer("b", Address(host="127.0.0.3", port=50000))
BOOK = AddressBook(["a"], [B])
NOW = datetime.datetime.now(datetime.UTC)
ADMINISTRATOR = ssl.PEM_cert_to_DER_cert(Authority.create(NOW).for_client([Role.ADMIN], NOW).certificate.decode())
MACHINE, STATE = "machine.MachineService", "cosi.resource.State"

Metadata = Sequence[tuple[str, str | bytes]]


def goes(*metadata: tuple[str, str | bytes], service: str = MACHINE, method: str = "Version") -> object:
    """Return where a call goes."""
    return destination(service, method, Call(metadata), BOOK)


@pytest.mark.parametrize(
    ("metadata", "where"),
    [
        ([], Here()),
        ([("runtime", "Talos")], Here()),
        ([("node", "a")], Here()),
        ([("node", "b")], There(B)),
        ([("node", "127.0.0.3")], There(B)),
        ([("node", "b"), ("proxyfrom", "c")], Here()),
        ([("nodes", "b"), ("proxyfrom", "c")], Here()),
        ([("node", "b"), ("node", "b"), ("proxyfrom", "c")], Here()),
        ([("node", "nowhere"), ("proxyfrom", "")], Here()),
        ([("nodes", "a")], Everywhere(["a"])),
        ([("nodes", "b"), ("nodes", "nowhere")], Everywhere(["b", "nowhere"])),
        ([("node", "b"), ("nodes", "a")], Everywhere(["a"])),
    ],
)
def test_a_call_goes_where_its_metadata_says(metadata: Metadata, where: object) -> None:
    assert goes(*metadata) == where


def test_more_than_one_node_is_refused_in_talos_words() -> None:
    with pytest.raises(Refusal, match=r"^node metadata must be single-valued$") as refused:
        goes(("node", "b"), ("node", "b"))

    assert refused.value.code is Code.INVALID_ARGUMENT


def test_an_unknown_node_is_unavailable() -> None:
    with pytest.raises(Refusal, match=r"^a knows no node 'nowhere'") as refused:
        goes(("node", "nowhere"))

    assert refused.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("metadata", [[], [("node", "a")], [("nodes", "a")], [("node", "a"), ("nodes", "a")]])
def test_in_maintenance_a_call_to_this_node_is_answered_here(metadata: Metadata) -> None:
    assert only_here(Call(metadata), BOOK) == Here()


@pytest.mark.parametrize(
    "metadata",
    [[("node", "b")], [("node", "nowhere")], [("nodes", "a"), ("nodes", "b")], [("node", "b"), ("proxyfrom", "c")]],
)
def test_in_maintenance_no_call_is_passed_on(metadata: Metadata) -> None:
    with pytest.raises(Refusal, match=r"^no request forwarding$") as refused:
        only_here(Call(metadata), BOOK)

    assert refused.value.code is Code.PERMISSION_DENIED


@pytest.mark.parametrize("service", METHODS)
def test_only_the_services_that_talos_names_ask_several_nodes(service: str) -> None:
    if service in ONE_TO_MANY:
        assert goes(("nodes", "a"), service=service, method="X") == Everywhere(["a"])
        return
    with pytest.raises(Refusal) as refused:
        goes(("nodes", "a"), service=service, method="X")

    assert refused.value.code is Code.INVALID_ARGUMENT
    assert refused.value.message == f"one-2-many proxying is not supported for method /{service}/X"


def test_one_call_asks_a_bounded_number_of_nodes() -> None:
    assert isinstance(goes(*[("nodes", "b")] * MAX_NODES), Everywhere)
    with pytest.raises(Refusal, match="65 nodes are too many"):
        goes(*[("nodes", "b")] * (MAX_NODES + 1))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["node", "nodes", "proxyfrom", "runtime", "talos-role"]),
            st.sampled_from(["a", "b", "127.0.0.3", "nowhere", ""]),
        ),
        max_size=6,
    ),
    st.sampled_from(sorted(METHODS)),
)
def test_every_call_goes_to_one_place_or_is_refused(metadata: Metadata, service: str) -> None:
    try:
        where = goes(*metadata, service=service)
    except Refusal:
        return
    keys = {key for key, _ in metadata}
    assert isinstance(where, Here | There | Everywhere)
    assert isinstance(where, Here) or "proxyfrom" not in keys
    assert isinstance(where, Everywhere) == ("nodes" in keys and "proxyfrom" not in keys)
    assert not isinstance(where, There) or where.peer == B


@pytest.mark.anyio
async def test_who_may_not_call_a_method_has_it_passed_on_to_nobody() -> None:
    nobody = Peers("a", {})
    routed = Router(BOOK, nobody, Maintenance(on=False)).routed(Service(STATE, unary={"Get": _here}))

    answer = await routed.unary["Get"](b"", Call([("node", "b")]))

    assert answer == frame(b"here")


@pytest.mark.anyio
async def test_uploads_are_answered_here_or_refused() -> None:
    name = "machine.DebugService"
    service = Service(name, client_streaming={"Import": _here}, bidirectional={"ContainerRun": _talk})
    routed = Router(BOOK, Peers("a", {}), Maintenance(on=False)).routed(service)

    here = await routed.client_streaming["Import"](_nothing(), _from_an_administrator(("node", "a")))
    with pytest.raises(Refusal, match=r"are not passed on: connect to b itself, at 127\.0\.0\.3:50000$") as refused:
        await anext(routed.bidirectional["ContainerRun"](_nothing(), _from_an_administrator(("node", "b"))))

    assert here == frame(b"here")
    assert refused.value.code is Code.UNIMPLEMENTED


def _from_an_administrator(*metadata: tuple[str, str]) -> Call:
    return Call(metadata, peer=RpcPeer("127.0.0.1:1", ADMINISTRATOR))


async def _here(_: object, __: Call) -> Frames:
    return frame(b"here")


async def _talk(_: object, __: Call) -> AsyncGenerator[Frames, None]:
    yield frame(b"here")


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
