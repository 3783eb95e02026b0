"""A name or an address means one node: this one, a peer, or none that it knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.address import Address
from machined.address_book import MAX_PEERS, AddressBook, Peer, UnknownNode, parse_hostname, parse_peer

B = Peer("b", Address(host="127.0.0.3", port=50000))
C = Peer("c", Address(host="node-c.example", port=50001))
BOOK = AddressBook(["a", "127.0.0.2"], [B, C], besides=["127.0.0.1", "::1", "localhost", "127.0.0.3"])


@pytest.mark.parametrize("target", ["a", "A", "127.0.0.2", "127.0.0.1", "localhost", "::1", "0:0:0:0:0:0:0:1"])
def test_a_node_knows_what_it_is_called_itself(target: str) -> None:
    assert BOOK.find(target) is None


@pytest.mark.parametrize("target", ["b", "B", "127.0.0.3"])
def test_a_peer_is_found_even_at_an_address_of_the_same_machine(target: str) -> None:
    assert BOOK.find(target) is B


def test_a_peers_host_may_be_a_name() -> None:
    assert BOOK.find("node-c.example") is C


@pytest.mark.parametrize("target", ["", "d", "127.0.0.4", "127.0.0.3:50000"])
def test_what_is_not_known_is_said_with_what_is(target: str) -> None:
    with pytest.raises(UnknownNode, match=r"^a knows no node '.*', only a, b, c: name one of these") as unknown:
        BOOK.find(target)

    assert "--peer NAME=HOST:PORT" in str(unknown.value)


def test_a_long_name_and_many_peers_are_said_in_short() -> None:
    peers = [Peer(f"n{number}", Address(host="127.0.0.9", port=number)) for number in range(1, MAX_PEERS + 1)]

    with pytest.raises(UnknownNode) as unknown:
        AddressBook(["a"], peers).find("x" * 10_000)

    assert len(str(unknown.value)) < 500
    assert f"n10 and {MAX_PEERS - 10} more: " in str(unknown.value)


def test_a_host_that_several_peers_share_means_none_of_them() -> None:
    book = AddressBook(["a"], [B, Peer("c", B.address._replace(port=50001))])

    assert book.find("b") is B
    with pytest.raises(UnknownNode):
        book.find("127.0.0.3")


@pytest.mark.parametrize("name", ["a", "A", "127.0.0.2", "b"])
def test_a_peer_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(ValueError, match=f"^the peer {name} has the name of another node, or of this one"):
        AddressBook(["a", "127.0.0.2"], [B, Peer(name, C.address)])


def test_peers_are_bounded() -> None:
    with pytest.raises(ValueError, match="257 peers are too many"):
        AddressBook(["a"], [Peer(f"n{number}", C.address) for number in range(MAX_PEERS + 1)])


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("b=10.0.0.3", "10.0.0.3", 50000),
        ("b=10.0.0.3:1", "10.0.0.3", 1),
        ("b=[::2]:1", "::2", 1),
        ("b=::2", "::2", 50000),
    ],
)
def test_a_peer_is_given_as_its_name_and_where_it_listens(text: str, host: str, port: int) -> None:
    assert parse_peer(text) == Peer("b", Address(host=host, port=port))


@pytest.mark.parametrize("text", ["", "b", "=10.0.0.3", "b=", "b c=10.0.0.3", "b=10.0.0.3:0", "b=unix:/run/x", "b=h:x"])
def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no peer|is not an address"):
        parse_peer(text)


@pytest.mark.parametrize("text", ["a", "node-1.example", "A9", "x" * 253])
def test_a_node_may_be_called_what_hosts_are_called(text: str) -> None:
    assert parse_hostname(text) == text


@pytest.mark.parametrize("text", ["", "a b", "-a", "a.", "é", "a\n", "x" * 254])
def test_what_is_no_hostname_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no hostname: take letters, digits, dashes and dots, 253 at most"):
        parse_hostname(text)


@given(st.text(max_size=200))
def test_every_target_is_this_node_or_a_peer_or_unknown(target: str) -> None:
    try:
        found = BOOK.find(target)
    except UnknownNode:
        return
    assert found in (None, B, C)
