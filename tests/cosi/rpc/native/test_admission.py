"""Strangers push out strangers, no host takes every place, and the counts are right whoever comes and goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.native import admission
from cosi.rpc.native.admission import Admission, Bounds, host_of

BOUNDS = Bounds(clients=6, clients_of_a_host=4)
HOSTS = ("", "192.0.2.1", "192.0.2.2", "192.0.2.3")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.sampled_from(HOSTS), st.booleans()),
        st.tuples(st.sampled_from(("welcome", "depart", "leave")), st.integers(0, 20), st.none()),
    ),
    max_size=60,
)


class Guest:
    def __init__(self, host: str, *, has_spoken: bool = False) -> None:
        self.host = host
        self.has_spoken = has_spoken


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_STRANGERS", 6)
    monkeypatch.setattr(admission, "MAX_STRANGERS_OF_A_HOST", 3)
    monkeypatch.setattr(admission, "MAX_LEAVING", 2)


def arrived(admitted: Admission[Guest], *guests: Guest) -> list[Guest]:
    """Have guests arrive one after the other; return those that had to go."""
    gone = []
    for guest in guests:
        crowded_out = admitted.arrive(guest)
        if crowded_out is not None:
            admitted.leave(crowded_out)
            gone.append(crowded_out)
    return gone


def test_the_one_that_has_said_nothing_for_longest_goes() -> None:
    speaks, first, second, third = (Guest("192.0.2.1", has_spoken=number == 0) for number in range(4))

    assert arrived(Admission(BOUNDS), speaks, first, second, third) == [first]


def test_where_all_have_spoken_the_oldest_goes() -> None:
    guests = [Guest("192.0.2.1", has_spoken=True) for _ in range(4)]

    assert arrived(Admission(BOUNDS), *guests) == guests[:1]


def test_a_flood_from_one_host_leaves_strangers_of_others_alone() -> None:
    admitted: Admission[Guest] = Admission(BOUNDS)
    other = Guest("192.0.2.2")
    arrived(admitted, other)

    gone = arrived(admitted, *(Guest("192.0.2.1") for _ in range(100)))

    assert other not in gone
    assert len(admitted.guests) == 4


def test_a_client_is_never_crowded_out() -> None:
    admitted: Admission[Guest] = Admission(BOUNDS)
    client = Guest("192.0.2.1")
    arrived(admitted, client)
    admitted.welcome(client)

    assert client not in arrived(admitted, *(Guest("192.0.2.1") for _ in range(100)))


def test_one_host_does_not_take_every_place() -> None:
    admitted: Admission[Guest] = Admission(BOUNDS)
    welcome = []
    for guest in [*(Guest("192.0.2.1") for _ in range(5)), Guest("192.0.2.2")]:
        arrived(admitted, guest)
        welcome.append(admitted.welcome(guest))
        if not welcome[-1]:
            admitted.leave(guest)

    assert welcome == [True, True, True, True, False, True]


@given(STEPS)
def test_the_counts_are_right_whoever_comes_and_goes(steps: list[tuple[str, str | int, bool | None]]) -> None:
    admitted: Admission[Guest] = Admission(BOUNDS)
    strangers: list[Guest] = []
    clients: list[Guest] = []
    leaving: list[Guest] = []
    for step, which, has_spoken in steps:
        if isinstance(which, str):
            guest = Guest(which, has_spoken=bool(has_spoken))
            strangers.append(guest)
            for gone in arrived(admitted, guest):
                strangers.remove(gone)
        elif step == "welcome" and strangers:
            guest = strangers.pop(which % len(strangers))
            if admitted.welcome(guest):
                clients.append(guest)
            else:
                admitted.leave(guest)
        elif step == "depart" and (some := clients or strangers):
            guest = some.pop(which % len(some))
            leaving.append(guest)
            if gone_at_once := admitted.depart(guest):
                admitted.leave(gone_at_once)
                leaving.remove(gone_at_once)
        elif step == "leave" and (some := leaving or clients or strangers):
            admitted.leave(some.pop(which % len(some)))

        assert set(admitted.guests) == {*strangers, *clients, *leaving}
        assert len(leaving) <= admission.MAX_LEAVING
        assert set(admitted.clients) == set(clients)
        assert len(strangers) <= admission.MAX_STRANGERS
        assert len(clients) <= BOUNDS.clients
        for host in HOSTS[1:]:
            assert sum(guest.host == host for guest in strangers) <= admission.MAX_STRANGERS_OF_A_HOST
            assert sum(guest.host == host for guest in clients) <= BOUNDS.clients_of_a_host


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_of_ipv6_a_network_is_a_host(address: str, host: str) -> None:
    assert host_of(address) == host
