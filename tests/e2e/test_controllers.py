"""Controllers as processes see them: plugged into a server, broken ones beside good ones, and out of process."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.e2e.programs import BIN, PATIENCE_SECONDS, Node, cosi_serve

GREETER = """
from cosi import Controller, Definition, QTransform, Resource, Spec, exclusive, field

class TextSpec(Spec):
    text: str = field(1, default="")

class Greeting(Resource[TextSpec]):
    definition = Definition(type="Greetings.test.example", default_namespace="default")

class Shout(Resource[TextSpec]):
    definition = Definition(type="Shouts.test.example", default_namespace="default")

class Greeter(Controller):
    name = "test.Greeter"
    outputs = (exclusive(Greeting),)

    async def run(self, runtime):
        async for _ in runtime.reconcile():
            await runtime.modify(Greeting.new("hello", TextSpec(text="hello")))

class Shouter(QTransform[Greeting, Shout]):
    name = "test.Shouter"

    async def transform(self, runtime, source):
        return Shout.new(source.id, TextSpec(text=source.spec.text.upper()))
"""

STUBBORN = """
import anyio
from cosi import Controller

class Stubborn(Controller):
    name = "test.Stubborn"

    async def run(self, runtime):
        while True:
            try:
                await anyio.sleep(60)
            except BaseException:
                pass
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A directory with a good plug-in in it."""
    directory = tmp_path / "plugins"
    directory.mkdir()
    (directory / "greeter.py").write_text(GREETER)
    return directory


@contextmanager
def cosi_run(node: Node, plugins: Path, *references: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run controllers beside a server; killed at the end if they still run."""
    process = subprocess.Popen(
        [BIN / "cosi", "run", *references, "--socket", node.socket],
        cwd=plugins,
        env={**os.environ, "COSI_SOCKET": str(node.socket)},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def shouted(node: Node) -> str:
    return node.cosi("get", "shouts", "-o", "jsonpath={.spec.text}").stdout.strip()


def controllers(node: Node) -> str:
    return node.cosi("get", "controllers").stdout


def test_a_broken_plug_in_is_named_and_keeps_nobody_from_working(tmp_path: Path, plugins: Path) -> None:
    (plugins / "broken.py").write_text("import nothing_of_this_name")
    (plugins / "impostor.py").write_text(GREETER)

    with cosi_serve(tmp_path, "--plugins", str(plugins)) as node:
        until(lambda: shouted(node) == "HELLO")
        listed = controllers(node)
        assert node.stop() == 0

    assert "No module named 'nothing_of_this_name'" in listed
    assert "test.Shouter (file impostor.py)" in listed
    assert "is at work already (file greeter.py)" in listed


def test_a_reference_brings_a_controller_into_the_server(tmp_path: Path, plugins: Path) -> None:
    server = subprocess.Popen(
        [BIN / "cosi", "serve", "--socket", tmp_path / "run/cosi.sock", "--controller", "greeter"],
        cwd=plugins,
        start_new_session=True,
    )
    node = Node(server, tmp_path / "run/cosi.sock", tmp_path / "log")
    try:
        until(node.socket.exists)
        until(lambda: shouted(node) == "HELLO")
    finally:
        server.kill()
        server.wait()


def test_controllers_in_a_process_of_their_own_leave_no_trace_when_it_is_killed(tmp_path: Path, plugins: Path) -> None:
    with cosi_serve(tmp_path) as node:
        until(node.socket.exists)
        with cosi_run(node, plugins, "greeter") as process:
            until(lambda: shouted(node) == "HELLO")
            assert controllers(node).count(f"process {process.pid}") == 2
            explained = node.cosi("explain", "shout", "hello").stdout
            process.kill()
            until(lambda: "process" not in controllers(node))

    assert "written by test.Shouter in its reconcile" in explained
    assert "because Greetings.test.example(default/hello@1) was created" in explained
    assert "└─ because it was started" in explained


def test_controllers_come_back_with_their_server(tmp_path: Path, plugins: Path) -> None:
    with cosi_serve(tmp_path) as node:
        until(node.socket.exists)
        with cosi_run(node, plugins, "greeter"):
            until(lambda: shouted(node) == "HELLO")
            node.stop(signal.SIGKILL)
            with cosi_serve(tmp_path) as again:
                until(lambda: again.cosi("get", "shouts").returncode == 0 and shouted(again) == "HELLO")


def test_who_takes_what_is_somebody_elses_is_told_so_and_ends(tmp_path: Path, plugins: Path) -> None:
    with cosi_serve(tmp_path, "--plugins", str(plugins)) as node:
        until(lambda: shouted(node) == "HELLO")
        done = subprocess.run(
            [BIN / "cosi", "run", "greeter:Shouter", "--socket", node.socket],
            cwd=plugins, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip

    assert done.returncode == 1
    assert "cosi: a controller named test.Shouter is at work already (file greeter.py)" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_can_not_be_loaded_is_told_before_anything_else(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "cosi", "run", "nothing_of_this_name:X", "--socket", tmp_path / "none"],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert done.stderr.startswith("cosi: nothing_of_this_name:X: ")


def test_a_server_ends_though_a_controller_does_not(tmp_path: Path, plugins: Path) -> None:
    (plugins / "stubborn.py").write_text(STUBBORN)
    with cosi_serve(tmp_path, "--plugins", str(plugins)) as node:
        until(lambda: shouted(node) == "HELLO")
        code = node.stop()
        log = node.log

    assert code == 3
    assert "controllers did not stop in time" in log
    assert "test.Stubborn" in log


def test_a_server_without_controllers_says_so(tmp_path: Path) -> None:
    with cosi_serve(tmp_path) as node:
        until(node.socket.exists)
        missing = node.cosi("explain", "rd", "nothing")
        numbers = node.cosi("metrics")
        graph = node.cosi("graph", "-o", "json")

    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "doesn't exist" in missing.stderr
    assert numbers.stdout.startswith("# HELP cosi_controller_")
    assert '"controllers": []' in graph.stdout


def test_prometheus_reads_numbers_where_it_is_told_to(tmp_path: Path, plugins: Path) -> None:
    with cosi_serve(tmp_path, "--plugins", str(plugins), "--metrics", "127.0.0.1:0") as node:
        until(lambda: shouted(node) == "HELLO")
        (port,) = re.findall(r"metrics .*address=127\.0\.0\.1:(\d+)", node.log)
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_SECONDS) as answer:
            text = answer.read().decode()

    assert 'cosi_controller_reconciles_total{controller="test.Shouter"} ' in text


def test_an_address_for_metrics_that_is_taken_is_one_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with cosi_serve(tmp_path, "--metrics", address) as node:
            assert node.process.wait(PATIENCE_SECONDS) == 1

    assert "Traceback" not in node.log
    assert "ddress already in use" in node.log
