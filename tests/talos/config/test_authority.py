"""A config brings an authority, with its key or without, and others whose clients are let in; or it has faults."""

import base64
import datetime

import pytest

from talos.access.certificates import Authority, Pair, split
from talos.config.authority import ConfigAuthority
from talos.config.faults import ConfigError
from talos.config.machine_config import parse

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
OURS = Authority.create(NOW)
OTHER = Authority.create(NOW)


def packed(pem: bytes) -> str:
    return base64.b64encode(pem).decode()


def as_talos_writes(key: bytes) -> bytes:
    """The same key under the label that Talos gives it."""
    return key.replace(b" PRIVATE KEY", b" ED25519 PRIVATE KEY")


def read(machine: str) -> ConfigAuthority:
    return parse(f"version: v1alpha1\nmachine:\n{machine}".encode(), source="machine.yaml").authority


def ca(pair: Pair) -> str:
    return f"  ca:\n    crt: {packed(pair.certificate)}\n    key: {packed(pair.key)}\n"


def test_a_config_without_one_brings_none() -> None:
    assert read("  type: worker\n") == ConfigAuthority()


@pytest.mark.parametrize("key", [OURS.pair.key, as_talos_writes(OURS.pair.key)])
def test_an_authority_with_its_key_is_the_nodes(key: bytes) -> None:
    found = read(ca(Pair(OURS.pair.certificate, key)))

    assert found == ConfigAuthority(OURS.pair, OURS.pair.certificate)


def test_without_its_key_its_clients_are_let_in() -> None:
    found = read(f"  ca:\n    crt: {packed(OURS.pair.certificate)}\n    key: ''\n")

    assert found == ConfigAuthority(None, OURS.pair.certificate)


def test_others_are_accepted_besides() -> None:
    listed = "".join(f"    - crt: {packed(each.pair.certificate)}\n" for each in (OURS, OTHER))

    found = read(f"{ca(OURS.pair)}  acceptedCAs:\n{listed}")

    assert found.own == OURS.pair
    assert set(split(found.accepted)) == {OURS.pair.certificate, OTHER.pair.certificate}


@pytest.mark.parametrize(
    ("machine", "path", "problem"),
    [
        ("  ca: nothing\n", "machine.ca", "this is a single value, not a mapping"),
        ("  ca: {cert: YQ==}\n", "machine.ca.cert", "unknown field"),
        ("  ca: {crt: '###'}\n", "machine.ca.crt", "this is not base64"),
        (f"  ca: {{crt: {packed(b'nothing')}}}\n", "machine.ca.crt", "this is no certificate of an authority"),
        (
            ca(OURS.for_client(["os:admin"], NOW)),
            "machine.ca.crt",
            "this is no certificate of an authority",
        ),
        (
            ca(Pair(OURS.pair.certificate, OTHER.pair.key)),
            "machine.ca",
            "this is no authority and its Ed25519 key",
        ),
        (
            ca(Pair(OURS.pair.certificate, b"nothing")),
            "machine.ca",
            "this is no authority and its Ed25519 key",
        ),
        ("  acceptedCAs:\n    - nothing\n", "machine.acceptedCAs[0]", "this is a single value, not a mapping"),
        (
            f"  acceptedCAs:\n    - crt: {packed(b'nothing')}\n",
            "machine.acceptedCAs[0].crt",
            "this is no certificate of an authority",
        ),
        (
            "  acceptedCAs:\n" + "    - crt: ''\n" * 21,
            "machine.acceptedCAs",
            "21 items, at most 20 are allowed",
        ),
    ],
)
def test_what_is_wrong_is_told_where_it_is(machine: str, path: str, problem: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(machine)

    (fault,) = refused.value.faults
    assert (fault.path, fault.problem) == (path, problem)
    assert fault.remedy


def test_a_config_does_not_show_its_key() -> None:
    config = parse(f"version: v1alpha1\nmachine:\n{ca(OURS.pair)}".encode(), source="machine.yaml")

    assert packed(OURS.pair.key) not in repr(config)
    assert OURS.pair.key.decode() not in repr(config) + repr(config.authority)
