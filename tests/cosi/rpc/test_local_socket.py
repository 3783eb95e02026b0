"""Which targets can be reached, and what is said of those that cannot."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cosi.rpc import local_socket
from cosi.rpc.http2.status import Code, RpcError


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "node.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


@pytest.fixture
def listening_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refusal(target: str, timeout_seconds: float = 1) -> RpcError:
    with pytest.raises(RpcError) as refused:
        local_socket.connect(target, timeout_seconds=timeout_seconds)
    return refused.value


@pytest.mark.parametrize("form", ["{}", "unix:{}", "unix://{}"])
def test_a_unix_socket_is_reached_by_its_path(listening: Path, form: str) -> None:
    with closing(local_socket.connect(form.format(listening), timeout_seconds=1)) as connected:
        assert connected.getpeername() == str(listening)


def test_a_unix_socket_is_reached_by_a_relative_path(listening: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(listening.parent)

    local_socket.connect("unix:node.sock", timeout_seconds=1).close()
    local_socket.connect("./node.sock", timeout_seconds=1).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_port_of_this_machine_is_reached(listening_port: int, host: str) -> None:
    with closing(local_socket.connect(f"{host}:{listening_port}", timeout_seconds=1)) as connected:
        assert connected.getpeername() == ("127.0.0.1", listening_port)
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    "host", ["10.0.0.5", "node.example", "127.0.0.1.example", "1270.0.0.1", "[::2]", "[::ffff:10.0.0.5]", "0.0.0.0"]
)
def test_another_machine_is_refused_because_nothing_is_encrypted(host: str) -> None:
    error = refusal(f"{host}:50000")

    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == (
        f"'{host}:50000' is another machine: this connection is not encrypted, "
        "so only localhost and loopback addresses are allowed"
    )


@pytest.mark.parametrize("target", ["", "node", "localhost:", "localhost:x", "localhost:0", "localhost:65536", ":²"])
def test_what_is_no_address_is_said_to_be_none(target: str) -> None:
    error = refusal(target)

    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == f"{target!r} is not an address: write unix:PATH or HOST:PORT"


def test_a_missing_socket_asks_whether_the_node_runs(tmp_path: Path) -> None:
    error = refusal(f"unix:{tmp_path}/none.sock")

    assert error.code is Code.UNAVAILABLE
    assert error.message == (
        f"there is no socket {tmp_path}/none.sock: is the node running? Start it, or give the address of one that runs"
    )


def test_a_socket_left_behind_is_told_from_one_in_use(tmp_path: Path) -> None:
    path = tmp_path / "stale.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    error = refusal(str(path))

    assert error.code is Code.UNAVAILABLE
    assert error.message == f"nobody listens on the socket {path}: the node that made it is gone; start it again"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open any socket")
def test_a_socket_of_somebody_else_names_who_may_open_it(listening: Path) -> None:
    listening.chmod(0)

    error = refusal(str(listening))

    assert error.code is Code.UNAVAILABLE
    assert error.message == f"this user may not open the socket {listening}: run as its owner, or as root"


def test_a_file_that_is_no_socket_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.touch()

    assert refusal(str(path)).message == f"{path} is not a socket: give the path of the one that the node listens on"


def test_a_path_too_long_for_a_socket_is_said_to_be(tmp_path: Path) -> None:
    error = refusal(f"{tmp_path}/{'x' * 200}")

    assert error.code is Code.UNAVAILABLE
    assert "too long" in error.message


def test_a_node_that_accepts_nobody_is_busy_or_stuck(tmp_path: Path) -> None:
    path = tmp_path / "stuck.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        with closing(local_socket.connect(str(path), timeout_seconds=1)):
            error = refusal(str(path), timeout_seconds=0.05)

    assert error.code is Code.UNAVAILABLE
    assert error.message.endswith("it is busy or stuck")


def test_a_port_that_nobody_listens_on_asks_whether_the_node_runs() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # taken, but not listening
        target = f"127.0.0.1:{reserved.getsockname()[1]}"

        error = refusal(target)

    assert error.code is Code.UNAVAILABLE
    assert error.message.startswith(f"nobody listens on {target}: is the node running?")
