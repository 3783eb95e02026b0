"""Addresses are written in two ways, and plain text stays on this machine."""

import pytest

from cosi.rpc import address
from cosi.rpc.address import Address


@pytest.mark.parametrize(
    ("text", "parsed", "target"),
    [
        ("unix:/run/cosi.sock", Address(path="/run/cosi.sock"), "unix:/run/cosi.sock"),
        ("unix:///run/cosi.sock", Address(path="/run/cosi.sock"), "unix:/run/cosi.sock"),
        ("unix:cosi.sock", Address(path="cosi.sock"), "unix:cosi.sock"),
        ("./cosi.sock", Address(path="./cosi.sock"), "unix:./cosi.sock"),
        ("127.0.0.1:50000", Address(host="127.0.0.1", port=50000), "127.0.0.1:50000"),
        (":50000", Address(host="127.0.0.1", port=50000), "127.0.0.1:50000"),
        ("[::1]:0", Address(host="::1", port=0), "[::1]:0"),
    ],
)
def test_an_address_is_parsed_and_written(text: str, parsed: Address, target: str) -> None:
    assert address.parse(text) == parsed
    assert parsed.target == target


@pytest.mark.parametrize("text", ["", "node", "localhost:", "localhost:x", "localhost:65536", ":²"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address: write unix:PATH or HOST:PORT"):
        address.parse(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("127.0.0.1.example", False),
        ("node\0", False),
    ],
)
def test_only_loopback_is_this_machine_and_nothing_else(host: str, loopback: bool) -> None:
    assert address.is_loopback(host) is loopback


def test_the_socket_is_looked_for_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(address.SOCKET_VARIABLE, raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert address.default_socket().startswith("/tmp/cosi-")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert address.default_socket() == "/run/user/1000/cosi.sock"
    monkeypatch.setenv(address.SOCKET_VARIABLE, "/elsewhere/node.sock")
    assert address.default_socket() == "/elsewhere/node.sock"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("123.123.123.123", "123.123.123.123:50000"),
        ("example.com:111", "example.com:111"),
        ("localhost", "localhost:50000"),
        ("2001:db8:0:0:0:ff00:42:8329", "[2001:db8:0:0:0:ff00:42:8329]:50000"),
        ("[2001:db8::1]", "[2001:db8::1]:50000"),
        ("[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_an_endpoint_without_a_port_has_the_usual_one(text: str, target: str) -> None:
    assert address.parse_endpoint(text, 50000).target == target


@pytest.mark.parametrize("text", ["", "a/b", "host:port", "host:99999"])
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address: write"):
        address.parse_endpoint(text, 50000)
