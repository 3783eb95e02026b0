"""Who may be connected: strangers until they have shaken hands, clients from then on, and so many of each.

    arrives ──▶ stranger ──▶ client ──▶ leaving ──▶ gone
                  │             │          └─ too many: the one that has been leaving for longest has to go at once
                  │             └─ too many, or too many of its host: it is turned away
                  └─ too many: the one that has said nothing for longest has to go

A stranger costs next to nothing and proves nothing, so a flood of them pushes out strangers, never clients; who means
it shakes hands at once and is through before its turn to be pushed out comes. What one host may have is bounded too, so
that it can't take every place. Those on a unix socket are all of this machine's one user, and share all places.
"""

from __future__ import annotations

import ipaddress
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from cosi.rpc.http2.limits import DEFAULT_ALLOWANCE, Allowance

MAX_STRANGERS: Final = 384
"""Connections that have not shaken hands yet: many times what arrives during one handshake, a few megabytes."""

MAX_STRANGERS_OF_A_HOST: Final = 256

MAX_LEAVING: Final = 64
"""Connections that were ended, and have a moment to read why."""

HOST_PREFIX_BITS: Final = 64
"""Whoever has one IPv6 address has a network of this size."""


class Bounds(NamedTuple):
    """How many clients a server has at a time, how many of them from one host, and what each of them may have."""

    clients: int = 512
    clients_of_a_host: int = 256
    each: Allowance = DEFAULT_ALLOWANCE


LOCAL: Final = Bounds()
"""For clients of this machine."""


class Guest(Protocol):
    """A connection, as far as its admission is concerned."""

    @property
    def host(self) -> str:
        """Where it comes from, see `host_of`; empty on a unix socket."""

    @property
    def has_spoken(self) -> bool:
        """Whether anything came from it."""


GuestT = TypeVar("GuestT", bound=Guest)


def host_of(address: str) -> str:
    """Return what stands for an IP address in the counts: of IPv6 the network, in which a host may take any address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, HOST_PREFIX_BITS), strict=False))


class Admission(Generic[GuestT]):
    """Counts the guests of one server."""

    def __init__(self, bounds: Bounds) -> None:
        self.clients: dict[GuestT, None] = {}
        self._bounds = bounds
        self._leaving: dict[GuestT, None] = {}
        self._strangers: dict[str, dict[GuestT, None]] = {}
        self._stranger_count = 0
        self._clients_of: dict[str, int] = {}

    @property
    def guests(self) -> list[GuestT]:
        """Everybody who is connected."""
        strangers = (guest for of_one in self._strangers.values() for guest in of_one)
        return [*self.clients, *strangers, *self._leaving]

    def arrive(self, guest: GuestT) -> GuestT | None:
        """Note a stranger; return the one that has to go for it, if there are too many. That one leaves by itself."""
        of_its_host = self._strangers.setdefault(guest.host, {})
        of_its_host[guest] = None
        self._stranger_count += 1
        if guest.host and len(of_its_host) > MAX_STRANGERS_OF_A_HOST:
            return _least_wanted(of_its_host)
        if self._stranger_count > MAX_STRANGERS:
            return _least_wanted(max(self._strangers.values(), key=len))
        return None

    def welcome(self, guest: GuestT) -> bool:
        """Make a stranger a client; False if there is no room, and it must go."""
        self._forget_stranger(guest)
        of_its_host = self._clients_of.get(guest.host, 0)
        self.clients[guest] = None
        self._clients_of[guest.host] = of_its_host + 1
        too_many_of_its_host = bool(guest.host) and of_its_host >= self._bounds.clients_of_a_host
        return not too_many_of_its_host and len(self.clients) <= self._bounds.clients

    def depart(self, guest: GuestT) -> GuestT | None:
        """Note that a guest is leaving; return the one that has to be gone at once, if too many are."""
        self.leave(guest)
        self._leaving[guest] = None
        return next(iter(self._leaving)) if len(self._leaving) > MAX_LEAVING else None

    def leave(self, guest: GuestT) -> None:
        """Forget a guest that is gone."""
        if guest in self._leaving:
            del self._leaving[guest]
        elif guest in self.clients:
            self._forget_client(guest)
        else:
            self._forget_stranger(guest)

    def _forget_client(self, guest: GuestT) -> None:
        del self.clients[guest]
        self._clients_of[guest.host] -= 1
        if not self._clients_of[guest.host]:
            del self._clients_of[guest.host]

    def _forget_stranger(self, guest: GuestT) -> None:
        of_its_host = self._strangers[guest.host]
        del of_its_host[guest]
        self._stranger_count -= 1
        if not of_its_host:
            del self._strangers[guest.host]


def _least_wanted(strangers: dict[GuestT, None]) -> GuestT:
    """Return the one that has said nothing for longest, or else the oldest.

    The newer half is left alone: whoever has just arrived has had no time to say anything.
    """
    older = list(strangers)[: (len(strangers) + 1) // 2]
    return next((guest for guest in older if not guest.has_spoken), older[0])
