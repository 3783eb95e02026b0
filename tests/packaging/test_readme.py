"""What the README tells people to type works, and the code it shows runs."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosi.testing.world import running
from tests.talos.extensions.boot_files import initramfs

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
PATIENCE_SECONDS = 60.0


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """The commands the README shows for a program, as arguments."""
    lines = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    return [words for words in lines if words[0] == program]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """What `make run` prints until the node is up, and the node's socket; Ctrl-C ends it cleanly."""
    directory = tmp_path_factory.mktemp("run")
    socket = directory / "cosi.sock"
    process = subprocess.Popen(
        ["make", "run", f"STATE={directory / 'state'}"],
        cwd=ROOT,
        env={**os.environ, "COSI_SOCKET": str(socket)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    lines = []
    try:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C stops the node"):
                break
        yield "".join(lines), socket
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert "Traceback" not in rest
        assert not socket.exists()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_the_two_commands_are_targets() -> None:
    assert commands("make") == [["make", "run"], ["make", "test"]]


def test_make_run_shows_what_the_readme_shows(shown: tuple[str, Path]) -> None:
    table = [line.strip() for line in README.splitlines() if line.startswith("    localhost ")]

    assert len(table) == 3
    assert all(row in shown[0] for row in table)
    assert "ready" in shown[0]


WITHOUT_A_NODE = [command for command in commands("machined") if command[1] in ("extension", "image")]
"""Each works on what those before it made."""
BESIDE_A_NODE = [*commands("cosi"), *(command for command in commands("machined") if command not in WITHOUT_A_NODE)]


def test_extensions_and_boot_images_are_made_without_a_node(tmp_path: Path) -> None:
    initramfs(tmp_path)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}

    for program, *arguments in WITHOUT_A_NODE:
        subprocess.run([BIN / program, *arguments], cwd=tmp_path, env=environment, check=True)

    assert (tmp_path / "boot.img").read_bytes().startswith((tmp_path / "initramfs.img").read_bytes())


@pytest.mark.parametrize("command", BESIDE_A_NODE, ids=" ".join)
def test_every_command_works_beside_it(shown: tuple[str, Path], command: list[str]) -> None:
    environment = {**os.environ, "COSI_SOCKET": str(shown[1])}
    process = subprocess.Popen(
        [BIN / command[0], *command[1:]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    if "--watch" in command:
        process.send_signal(signal.SIGINT)
    _, noise = process.communicate(timeout=PATIENCE_SECONDS)

    assert first
    assert process.returncode == 0, noise


@pytest.mark.anyio
async def test_the_controller_shown_works() -> None:
    controller, types = blocks("python")
    names: dict[str, object] = {}
    exec(types, names)
    exec(controller, names)

    async with running(names["Shout"]()) as world:  # type: ignore[operator]
        exec('greeting, shouted = Greeting.new("a", GreetingSpec(text="hello")), ShoutedSpec(text="HELLO")', names)
        await world.state.create(names["greeting"])  # type: ignore[type-var]
        await world.settle()
        (made,) = await world.state.list(names["Shouted"])  # type: ignore[call-overload]

    assert made.spec == names["shouted"]
