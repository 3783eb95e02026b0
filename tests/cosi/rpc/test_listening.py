"""Who may listen where: on a socket of one's own, on loopback in plain text, anywhere with TLS."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cosi.rpc import listening
from cosi.rpc.address import Address

Listen = Callable[..., list[socket.socket]]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Return `listening.sockets`, whose sockets are closed after the test."""
    with ExitStack() as opened:

        def sockets(wanted: Address, *, tls: bool = False) -> list[socket.socket]:
            return [opened.enter_context(each) for each in listening.sockets(wanted, tls=tls)]

        yield sockets


def at(directory: Path) -> Address:
    return Address(path=str(directory / "cosi.sock"))


def accepted(server: socket.socket, where: object) -> bool:
    with socket.socket(server.family) as client:
        client.connect(where)  # type: ignore[arg-type]
        server.accept()[0].close()
    return True


def test_a_unix_socket_is_for_its_user_alone(tmp_path: Path, listen: Listen) -> None:
    where = at(tmp_path / "run" / "cosi")
    mask = os.umask(0)
    try:
        (server,) = listen(where)
    finally:
        os.umask(mask)

    assert os.stat(where.path).st_mode & 0o777 == 0o600
    assert os.stat(Path(where.path).parent).st_mode & 0o777 == 0o700
    assert not server.getblocking()
    assert accepted(server, where.path)
    assert listening.bound(where, [server]) == where


def test_released_sockets_are_gone_and_so_may_they_be_before(tmp_path: Path, listen: Listen) -> None:
    where = at(tmp_path)
    listen(where)

    listening.release([where, Address(host="127.0.0.1", port=1), at(tmp_path / "never")])

    assert os.listdir(tmp_path) == []


def test_a_socket_that_is_in_use_is_left_alone(tmp_path: Path, listen: Listen) -> None:
    where = at(tmp_path)
    (server,) = listen(where)

    with pytest.raises(FileExistsError, match="another server is running there"):
        listening.prepare(where, tls=False)

    assert accepted(server, where.path)


def test_a_server_too_busy_to_accept_is_in_use_as_well(tmp_path: Path) -> None:
    where = at(tmp_path)
    with ExitStack() as opened:
        busy = opened.enter_context(socket.socket(socket.AF_UNIX))
        busy.bind(where.path)
        busy.listen(0)
        opened.enter_context(socket.socket(socket.AF_UNIX)).connect(where.path)

        with pytest.raises(FileExistsError, match="another server is running there"):
            listening.prepare(where, tls=False)


def test_a_socket_that_a_crash_left_behind_is_replaced(tmp_path: Path, listen: Listen) -> None:
    where = at(tmp_path)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(where.path)

    (server,) = listen(where)

    assert accepted(server, where.path)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    where = at(tmp_path)
    Path(where.path).write_text("precious")

    with pytest.raises(FileExistsError, match="it is no socket"):
        listening.prepare(where, tls=False)

    assert Path(where.path).read_text() == "precious"


def test_a_directory_that_others_may_write_to_is_refused_unless_they_can_only_add(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(PermissionError, match="others could replace it"):
        listening.prepare(at(shared), tls=False)

    shared.chmod(0o1777)
    listening.prepare(at(shared), tls=False)


def test_a_path_too_long_for_a_socket_is_refused_in_words(tmp_path: Path) -> None:
    where = Address(path=str(tmp_path / ("x" * 200)))

    with pytest.raises(OSError, match=f"^can't listen on {where}: AF_UNIX path too long"):
        listening.sockets(where, tls=False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3"])
def test_plain_text_is_served_on_loopback_on_a_port_that_is_free(host: str, listen: Listen) -> None:
    wanted = Address(host=host, port=0)

    servers = listen(wanted)

    where = listening.bound(wanted, servers)
    assert where.port > 0
    assert all(accepted(server, (server.getsockname()[0], where.port)) for server in servers)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "node.example.com"])
def test_plain_text_is_not_served_elsewhere(host: str) -> None:
    with pytest.raises(ValueError, match=r"^will not serve plain text on .* not a loopback address"):
        listening.sockets(Address(host=host, port=1), tls=False)


def test_tls_is_served_anywhere(listen: Listen) -> None:
    (server,) = listen(Address(host="0.0.0.0", port=0), tls=True)

    assert accepted(server, ("127.0.0.1", server.getsockname()[1]))


def test_the_wildcard_takes_both_kinds_of_address(listen: Listen) -> None:
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    (server,) = listen(Address(host="::", port=0), tls=True)

    with socket.create_connection(("127.0.0.1", server.getsockname()[1])):
        server.accept()[0].close()


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "x" * 64])
def test_an_address_that_is_taken_or_not_ours_is_refused_in_words(host: str, listen: Listen) -> None:
    port = listen(Address(host="127.0.0.1", port=0))[0].getsockname()[1]

    with pytest.raises(OSError, match=f"^can't listen on {host}:{port}: the port is taken, or the address is not this"):
        listen(Address(host=host, port=port), tls=True)
