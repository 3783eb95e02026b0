"""What the pages about nodes on the network tell people to type works, in the order in which it stands there."""

import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["network.md", "talosctl.md"]
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 30.0

HOST = "127.0.0.1"
RUNNING = "node is running"
RENEWED = "the door has a new certificate"
UP = "nodes are up"
"""What a node logs when it can be asked, and when it has followed a step of a rotation; and what a cluster says."""


def commands(page: str) -> Sequence[Sequence[str]]:
    """Return a page's commands as words, in its order."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


def on_port(port: int, words: Sequence[str]) -> Sequence[str]:
    """Return the same command for another port than the usual one, which may be taken."""
    if words[:2] == ["machined", "talosconfig"]:
        return [*words, "--endpoint", f"{HOST}:{port}"]
    if words[:3] == ["machined", "cluster", "up"]:
        return [*words, "--port", str(port)]
    if words[:2] == ["machined", "run"]:
        listen = words.index("--listen") + 1
        return [*words[:listen], f"{words[listen]}:{port}", *words[listen + 1 :]]
    return words


class Desk:
    """A directory to type commands in, and the node that one of them runs."""

    def __init__(self, directory: Path) -> None:
        (directory / "machine.yaml").write_text("version: v1alpha1\n")
        self._directory = directory
        self._node: subprocess.Popen[str] | None = None

    def type(self, words: Sequence[str]) -> None:
        """Run a command, and see that it does what it should."""
        program, *arguments = words
        if arguments[0] == "run":
            socket_path = str(self._directory / "cosi.sock")
            self._node = self._start([program, *arguments, "--socket", socket_path], stderr=subprocess.PIPE)
            self._until(RUNNING)
        elif arguments[:2] == ["cluster", "up"]:
            self.leave()  # its port is that of the first of them
            self._node = self._start(words, stdout=subprocess.PIPE)
            self._until(UP)
        elif "--watch" in arguments:
            self._watch(words)
        else:
            done = self._start(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            said, _ = done.communicate(timeout=PATIENCE_SECONDS)
            assert done.returncode == 0, f"{shlex.join(words)}\n{said}"
            assert said, shlex.join(words)
            if arguments[0] == "pki":
                self._until(RENEWED)

    def leave(self) -> None:
        """Stop what still runs."""
        if self._node is not None:
            self._node.terminate()
            self._node.communicate(timeout=PATIENCE_SECONDS)

    def _watch(self, words: Sequence[str]) -> None:
        watch = self._start(words, stdout=subprocess.PIPE)
        assert watch.stdout is not None
        lines = [watch.stdout.readline() for _ in range(2)]
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=PATIENCE_SECONDS)
        assert all(lines)
        assert watch.returncode == 0

    def _until(self, said: str) -> None:
        assert self._node is not None
        lines = self._node.stderr or self._node.stdout
        assert lines is not None
        assert any(said in line for line in lines), f"the node ended before it said: {said}"

    def _start(
        self, words: Sequence[str], *, stdout: int | None = None, stderr: int | None = None
    ) -> "subprocess.Popen[str]":
        command = [str(BIN / words[0]), *words[1:]]
        return subprocess.Popen(command, cwd=self._directory, stdout=stdout, stderr=stderr, text=True)


@contextmanager
def desk(directory: Path) -> Iterator[Desk]:
    at = Desk(directory)
    try:
        yield at
    finally:
        at.leave()


@pytest.mark.parametrize("page", PAGES)
def test_every_command_works_where_it_stands(tmp_path: Path, page: str) -> None:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]

    with desk(tmp_path) as at:
        for words in commands(page):
            at.type(on_port(port, words))


def test_the_page_about_the_network_shows_a_node_its_logins_and_their_rotation() -> None:
    shown = {tuple(words[:2]) for words in commands("network.md")}

    assert shown >= {
        ("machined", "run"),
        ("machined", "talosconfig"),
        ("machined", "pki"),
        ("machined", "cluster"),
        ("cosi", "get"),
    }
