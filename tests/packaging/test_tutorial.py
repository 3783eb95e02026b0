"""The tutorial works as it is written: every file is saved, every command is run, every output is what comes out."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = (ROOT / "docs/tutorial.md").read_text()
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 50.0
UP = re.compile(r"\] (serving|joined) ")
"""What a server logs when it listens, and a controller's process when it is a member of one."""
MAX_CONTROLLER_LINES = 15


class Block(NamedTuple):
    """A fenced block: its language, the attributes after it, and its text."""

    language: str
    attributes: dict[str, str]
    text: str


def blocks() -> list[Block]:
    found = re.findall(r"^```(\w+)([^\n]*)\n(.*?)^```$", TUTORIAL, flags=re.DOTALL | re.MULTILINE)
    return [Block(language, dict(re.findall(r"(\w+)=(\S+)", rest)), text) for language, rest, text in found]


class Desk:
    """A directory to work in, and the terminals that are open."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "cosi.sock"
        self._terminals: dict[str, subprocess.Popen[bytes]] = {}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "COSI_SOCKET": str(self.socket)}

    def run(self, commands: str) -> str:
        """Type commands and return what the last of them prints."""
        output = ""
        for line in commands.splitlines():
            done = subprocess.run(
                ["bash", "-c", line],
                cwd=self.directory,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            output = done.stdout
        return output

    def leave_running(self, terminal: str, command: str) -> None:
        """Press Ctrl-C in a terminal, then start something there; it is up when it says so."""
        self.interrupt(terminal)
        shown = self.directory / f"terminal-{terminal}.log"
        with shown.open("wb") as log:
            self._terminals[terminal] = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.directory,
                env=self._environment,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not UP.search(shown.read_text()):
            assert time.monotonic() < deadline, f"{command} does not come up:\n{shown.read_text()}"
            time.sleep(0.05)

    def eventually(self, command: str, expected: str) -> None:
        """Type a command until it prints what it should: other processes need their time."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (shown := tidy(self.run(command))) != tidy(expected) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert shown == tidy(expected)

    def interrupt(self, terminal: str) -> None:
        """Press Ctrl-C."""
        process = self._terminals.pop(terminal, None)
        if process is not None:
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_SECONDS) == 0

    def leave(self) -> None:
        """Close all terminals."""
        for process in self._terminals.values():
            process.kill()
            process.wait()


def tidy(table: str) -> str:
    return "\n".join(line.rstrip() for line in table.splitlines())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.leave()


@pytest.mark.timeout(300)
def test_everything_in_the_tutorial_works(desk: Desk) -> None:
    last_command = ""
    for block in blocks():
        if block.language == "python":
            (desk.directory / block.attributes["title"]).write_text(block.text)
        elif block.language == "text":
            desk.eventually(last_command, block.text)
        elif "terminal" in block.attributes:
            desk.leave_running(block.attributes["terminal"], block.text.strip())
        else:
            desk.run(block.text)
            last_command = block.text.splitlines()[-1]

    assert "</svg>" in (desk.directory / "graph.svg").read_text()
    for terminal in ("3", "2"):
        desk.interrupt(terminal)


def test_every_block_of_the_tutorial_is_of_a_kind_that_is_tried() -> None:
    for block in blocks():
        assert block.language in {"python", "sh", "text"}
        assert block.language != "python" or "title" in block.attributes


def test_the_controller_is_short() -> None:
    (greeter,) = (block.text for block in blocks() if block.attributes.get("title") == "greeter.py")
    controller = greeter[greeter.index("class Shouter") :]

    assert len(controller.strip().splitlines()) <= MAX_CONTROLLER_LINES
