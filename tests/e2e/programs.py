"""The programs as processes: a node, and the command line beside it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from talos.extensions.mounts import unmount_below

BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 30.0
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Node:
    """A `machined run` process; `log` is what it wrote on standard error."""

    def __init__(self, process: "subprocess.Popen[bytes]", socket: Path, log: Path) -> None:
        self.process = process
        self.socket = socket
        self._log = log

    @property
    def log(self) -> str:
        """What the node has logged so far."""
        return self._log.read_text()

    @property
    def directory(self) -> Path:
        """Where its state, its config and its login lie."""
        return self.socket.parent.parent

    def cosi(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the command line against the node."""
        return cosi(*arguments, socket=self.socket)

    def machined(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `machined` against the node."""
        return _run("machined", *arguments, socket=self.socket)

    def stop(self, with_signal: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(with_signal)
        return self.process.wait(PATIENCE_SECONDS)


def write_config(directory: Path, *references: str) -> Path:
    """Write a config that asks for these images, atomically, as an editor does."""
    lines = "".join(f"      - image: {reference}\n" for reference in references)
    new = directory / "machine.yaml.new"
    new.write_text(f"version: v1alpha1\nmachine:\n  install:\n    extensions:\n{lines}")
    return new.rename(directory / "machine.yaml")


def cosi(*arguments: str, socket: Path) -> "subprocess.CompletedProcess[str]":
    """Run `cosi` and return what it printed."""
    return _run("cosi", *arguments, socket=socket)


@contextmanager
def machined_run(
    directory: Path, config: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Node]:
    """Run a node with its state and socket in a directory; it is stopped at the end if it still runs.

    What a killed one has mounted is taken away.
    """
    socket = directory / "run/cosi.sock"
    log = directory / "log"
    with log.open("ab") as stream:
        process = _start(
            "machined", "run", "--config", config, "--state", directory / "state", "--socket", socket, *options,
            stderr=stream, environment=environment,
        )  # fmt: skip
        try:
            yield Node(process, socket, log)
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()
                process.wait()
                unmount_below(directory)


@contextmanager
def cosi_serve(directory: Path, *options: str) -> Iterator[Node]:
    """Run a plain runtime with its socket in a directory."""
    socket, log = directory / "run/cosi.sock", directory / "log"
    with log.open("ab") as stream:
        process = _start("cosi", "serve", "--socket", socket, *options, stderr=stream)
        try:
            yield Node(process, socket, log)
        finally:
            process.kill()
            process.wait()


@contextmanager
def watching(node: Node, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run `cosi get --watch` in the background; its standard output is a pipe of lines."""
    process = subprocess.Popen(
        [BIN / "cosi", "get", *arguments, "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COSI_SOCKET": str(node.socket)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def without_times(text: str) -> str:
    """Return a text with every timestamp replaced by `<time>`."""
    return TIMESTAMP.sub("<time>", text)


def _run(program: str, *arguments: str, socket: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [BIN / program, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env={**os.environ, "COSI_SOCKET": str(socket)},
    )


def _start(
    program: str, *arguments: str | Path, stderr: IO[bytes], environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [BIN / program, *arguments], stderr=stderr, env={**os.environ, **(environment or {})}, start_new_session=True
    )
