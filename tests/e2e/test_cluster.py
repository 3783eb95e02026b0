"""`machined cluster up`: several nodes from one command; one login opens all, and they pass calls on to each other."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import psutil
import pytest
from google.protobuf.empty_pb2 import Empty

from talos._pb.machine import machine_pb2
from talos.extensions.mounts import unmount_below
from tests.e2e.programs import BIN, PATIENCE_SECONDS
from tests.scenarios.door import Login
from tests.talosctl.talosctl import MACHINE

NODES = ("node-1", "node-2", "node-3")


class Cluster:
    """A `machined cluster up` process."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        self.process = process
        self.directory = directory

    def until_up(self) -> str:
        """Return what it says when its nodes have opened their doors."""
        assert self.process.stdout is not None
        said = [""]
        while "--nodes" not in said[-1]:
            said.append(self.process.stdout.readline())
            assert said[-1], self.process.stderr and self.process.stderr.read()
        return "".join(said)

    def node(self, name: str) -> psutil.Process:
        """Return the process of a node."""
        (found,) = [each for each in psutil.Process(self.process.pid).children() if name in each.cmdline()]
        return found

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(with_signal)
        return self.process.wait(PATIENCE_SECONDS)

    def hostnames(self) -> list[str]:
        """Ask every node over the first one what it is called, as talosctl does with the login in the directory."""

        async def ask() -> list[str]:
            async with Login(self.directory / "talosconfig").talosctl(*NODES) as client:
                answers = [
                    await client.unary(f"{MACHINE}/Hostname", Empty(), machine_pb2.HostnameResponse, node)
                    for node in client.nodes
                ]
            return [answer.messages[0].hostname for answer in answers]

        return anyio.run(ask)


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def cluster_up(directory: Path, port: int, *options: str) -> Iterator[Cluster]:
    """Run a cluster in a directory; what is left of it at the end is killed, what that had mounted taken away."""
    process = subprocess.Popen(
        [BIN / "machined", "cluster", "up", "--directory", directory, "--port", str(port), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Cluster(process, directory)
    finally:
        left = psutil.Process(process.pid).children() if process.poll() is None else []
        for child in left:
            child.kill()
        process.kill()
        process.communicate()
        psutil.wait_procs(left)
        unmount_below(directory)


def test_one_login_opens_all_nodes_and_a_restart_goes_on_with_them(tmp_path: Path, port: int) -> None:
    with cluster_up(tmp_path / "cluster", port) as first:
        said = first.until_up()
        asked = first.hostnames()
        login = (tmp_path / "cluster/talosconfig").read_bytes()
        assert first.stop() == 0
    with cluster_up(tmp_path / "cluster", port) as second:
        second.until_up()
        (tmp_path / "cluster/talosconfig").write_bytes(login)
        again = second.hostnames()
        assert second.stop() == 0

    assert said.startswith("3 nodes are up; Ctrl-C stops them.\n")
    assert all(f"127.0.0.{number}:{port}" in said for number in (1, 2, 3))
    assert asked == again == [*NODES]


def test_a_node_that_dies_is_said_and_the_others_go_on(tmp_path: Path, port: int) -> None:
    with cluster_up(tmp_path / "cluster", port, "--nodes", "2") as cluster:
        cluster.until_up()
        cluster.node("node-2").kill()
        assert cluster.process.stderr is not None
        said = cluster.process.stderr.readline()
        assert cluster.node("node-1").is_running()
        code = cluster.stop()

    assert said.startswith("machined: node-2 has ended with exit code -9 (")
    assert said.endswith("; the others go on\n")
    assert code == 0


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGHUP])
def test_nodes_stop_with_the_command_however_it_is_stopped(tmp_path: Path, port: int, with_signal: int) -> None:
    with cluster_up(tmp_path / "cluster", port, "--nodes", "1") as cluster:
        cluster.until_up()
        assert cluster.stop(with_signal) == 0

    assert not _running_in(tmp_path)


def test_a_port_that_is_taken_is_said_and_nothing_is_left_running(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.2", 0)) as taken,
        cluster_up(tmp_path / "cluster", taken.getsockname()[1]) as cluster,
    ):
        _, said = cluster.process.communicate(timeout=PATIENCE_SECONDS)

    assert cluster.process.returncode == 1
    assert said.count("\n") == 1
    assert said.startswith("machined: node-2 has ended with exit code 1 (")
    assert "can't listen on 127.0.0.2" in said
    assert not _running_in(tmp_path)


def test_a_node_that_outlived_its_cluster_is_said_before_others_start(tmp_path: Path, port: int) -> None:
    with cluster_up(tmp_path / "cluster", port, "--nodes", "2") as killed:
        killed.until_up()
        orphans = [killed.node(name) for name in ("node-1", "node-2")]
        killed.stop(signal.SIGKILL)
        orphans[0].kill()
        orphans[0].wait()
        with cluster_up(tmp_path / "cluster", port, "--nodes", "2") as again:
            _, said = again.process.communicate(timeout=PATIENCE_SECONDS)
        orphans[1].kill()
        orphans[1].wait()

    assert said.startswith(f"machined: another node is running on {tmp_path}/cluster/node-2/state; stop it, or choose")
    assert said.count("\n") == 1


def test_a_second_cluster_in_the_same_directory_is_refused(tmp_path: Path, port: int) -> None:
    with cluster_up(tmp_path / "cluster", port, "--nodes", "1") as first:
        first.until_up()
        with cluster_up(tmp_path / "cluster", port) as second:
            _, said = second.process.communicate(timeout=PATIENCE_SECONDS)
        assert first.stop() == 0

    assert said.startswith(f"machined: another cluster is running on {tmp_path}/cluster; stop it, or choose another")


def _running_in(directory: Path) -> list[str]:
    lines = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
    return [" ".join(line) for line in lines if any(str(directory) in word for word in line)]
