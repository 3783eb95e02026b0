"""Which node a name or an address means: this one, one that it was told of, or none that it knows. Pure.

    a peer's name                                           that peer
    what this node was told to be called, or to listen on   itself
    a peer's host, if only one peer has it                  that peer
    what this node is called because of where it runs       itself

The order matters where several nodes share a machine, and each of them could say that 127.0.0.2 is its own.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from cosi.rpc.address import Address
from machined.login import parse_endpoint

MAX_PEERS: Final = 256
"""A node keeps a connection to each of them."""

SHOWN_CHARACTERS: Final = 100
SHOWN_NAMES: Final = 10

_HOSTNAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class Peer(NamedTuple):
    """Another node: what it is called, and where it listens."""

    name: str
    address: Address


class UnknownNode(Exception):
    """There is no such node as far as this one knows."""


class AddressBook:
    """The nodes by their names and addresses. Raises ValueError where a peer can't be told from another node."""

    def __init__(self, own: Collection[str], peers: Sequence[Peer], *, besides: Collection[str] = ()) -> None:
        self.peers = peers
        self._me = next(iter(own))
        _require_distinct(own, peers)
        hosts = Counter(_normal(peer.address.host) for peer in peers)
        self._nodes: Mapping[str, Peer | None] = {
            **{_normal(name): None for name in besides},
            **{host: peer for peer in peers if hosts[host := _normal(peer.address.host)] == 1},
            **{_normal(name): None for name in own},
            **{_normal(peer.name): peer for peer in peers},
        }

    def find(self, target: str) -> Peer | None:
        """Return the peer that is meant, None if it is this node. Raises UnknownNode."""
        try:
            return self._nodes[_normal(target)]
        except KeyError:
            raise UnknownNode(self._explain(target[:SHOWN_CHARACTERS])) from None

    def _explain(self, target: str) -> str:
        names = [self._me, *(peer.name for peer in self.peers[:SHOWN_NAMES])]
        more = f" and {len(self.peers) - SHOWN_NAMES} more" if len(self.peers) > SHOWN_NAMES else ""
        return (
            f"{self._me} knows no node {target!r}, only {', '.join(names)}{more}: "
            f"name one of these (without a port), or start {self._me} with --peer NAME=HOST:PORT for another node, "
            "with --endpoint if it is its own name"
        )


def parse_peer(text: str) -> Peer:
    """Return the peer of NAME=HOST or NAME=HOST:PORT. Raises ValueError."""
    name, equals, where = text.partition("=")
    if not (name and equals and where) or not name.isprintable() or " " in name:
        raise ValueError(f"{text[:SHOWN_CHARACTERS]!r} is no peer: write NAME=HOST:PORT")
    address = parse_endpoint(where)
    if address.path or not address.port:
        raise ValueError(f"{text[:SHOWN_CHARACTERS]!r} is no peer: another node has a host and a port, NAME=HOST:PORT")
    return Peer(name, address)


def parse_hostname(text: str) -> str:
    """Return what a node may be called, which is to stand in certificates and metadata. Raises ValueError."""
    if not _HOSTNAME.fullmatch(text):
        shown = text[:SHOWN_CHARACTERS]
        raise ValueError(f"{shown!r} is no hostname: take letters, digits, dashes and dots, 253 at most")
    return text


def _require_distinct(own: Collection[str], peers: Sequence[Peer]) -> None:
    if len(peers) > MAX_PEERS:
        raise ValueError(f"{len(peers)} peers are too many: a node keeps a connection to each, and {MAX_PEERS} at most")
    taken = {_normal(name) for name in own}
    for peer in peers:
        if _normal(peer.name) in taken:
            raise ValueError(f"the peer {peer.name} has the name of another node, or of this one: give it another")
        taken.add(_normal(peer.name))


def _normal(name: str) -> str:
    """Return the one way to write a name or an address."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower()
