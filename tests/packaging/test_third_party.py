"""A stranger's package plugs in by being installed: its types, its controllers, and the same ones out of process."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from cosi.resource.metadata import Pointer
from cosi.resource.registry import Registry
from cosi.resource.resource import AnyResource
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state.event import Event, EventType
from cosi.state.state import State
from tests.e2e.programs import BIN

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 50.0
CLASSES = ("greenhouse.controllers:WindowController", "greenhouse.controllers:ClimateController")
CLIMATE = Pointer("greenhouse", "Climates.greenhouse.example", "greenhouse")


class Shed:
    """A directory with the package installed in it, and programs that see it, or don't."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.socket = directory / "cosi.sock"
        self.installed = directory / "installed"

    def install(self) -> None:
        # A copy, because building leaves its traces beside the sources.
        source = shutil.copytree(ROOT / "examples/third_party", self.directory / "source")
        options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *options, "--target", self.installed, source], check=True
        )

    def environment(self, *, with_package: bool = True) -> dict[str, str]:
        path = {"PYTHONPATH": str(self.installed)} if with_package else {}
        return {**os.environ, "COSI_SOCKET": str(self.socket), **path}

    def run(self, *command: str | Path) -> str:
        done = subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def cosi(self, *arguments: str) -> str:
        return self.run(BIN / "cosi", *arguments)

    def start(self, *arguments: str, with_package: bool = True) -> "subprocess.Popen[bytes]":
        environment = self.environment(with_package=with_package)
        return subprocess.Popen([BIN / "cosi", *arguments], env=environment, start_new_session=True)

    def read(self, celsius: int) -> AnyResource:
        """Write a reading, from a process that knows the types, and wait for the climate that follows."""
        script = (
            "import sys, anyio\n"
            "from cosi import State, connected\n"
            "from greenhouse.resources import Reading, ReadingSpec\n"
            "async def main():\n"
            "    async with connected() as core:\n"
            f"        await State(core).modify(Reading.new('south', ReadingSpec(celsius={celsius})))\n"
            "anyio.run(main)\n"
        )
        self.run(sys.executable, "-c", script)
        return anyio.run(self._climate)

    async def _climate(self) -> AnyResource:
        def known(event: Event) -> bool:
            return event.type is not EventType.DESTROYED

        with anyio.fail_after(PATIENCE_SECONDS):
            async with connected(Address(path=str(self.socket)), Registry()) as core:
                event = await State(core).watch_for(CLIMATE, known)
                assert event.resource is not None
                return event.resource

    def wait_for_server(self) -> None:
        self._until(self.socket.exists)

    def wait_for_workers(self) -> None:
        self._until(lambda: "process " in self.cosi("get", "controllers"))

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Shed:
    shed = Shed(tmp_path_factory.mktemp("shed"))
    shed.install()
    return shed


@pytest.fixture
def shed(installed: Shed, tmp_path: Path) -> Shed:
    """The installed package, and a socket for this test alone."""
    shed = Shed(installed.directory)
    shed.socket = tmp_path / "cosi.sock"
    return shed


@pytest.fixture
def served(shed: Shed) -> Iterator[Shed]:
    """A server in whose environment the package is installed."""
    server = shed.start("serve")
    try:
        shed.wait_for_server()
        yield shed
    finally:
        server.kill()
        server.wait()


def test_its_types_and_controllers_are_there_by_being_installed(served: Shed) -> None:
    climate = served.read(celsius=31)

    assert climate.metadata.owner == "greenhouse.ClimateController"
    assert "windows.greenhouse.example" in served.cosi("get", "rd")
    assert served.cosi("get", "windows", "-o", "jsonpath={.spec.open}").split() == ["true"]
    assert "entry point windows of greenhouse" in served.cosi("get", "controllers")
    graph = served.cosi("graph")
    assert "greenhouse.WindowController (queue controller, entry point windows of greenhouse)" in graph
    assert "writes  Windows.greenhouse.example  exclusive" in graph


def test_why_its_resources_are_so_is_explained(served: Shed) -> None:
    served.read(celsius=31)

    lines = served.cosi("explain", "climate", "greenhouse").splitlines()

    assert lines[0].startswith("Climates.greenhouse.example(greenhouse/greenhouse@")
    assert any("because Windows.greenhouse.example(greenhouse/south@1) was created" in line for line in lines)
    assert any("because Readings.greenhouse.example(greenhouse/south@1) was created" in line for line in lines)
    assert "written by no controller" in lines[-1]


def test_the_same_classes_run_out_of_process(shed: Shed) -> None:
    server = shed.start("serve", with_package=False)
    shed.wait_for_server()
    workers = shed.start("run", *CLASSES, "--socket", str(shed.socket))
    try:
        shed.wait_for_workers()
        climate = shed.read(celsius=31)
        listed = shed.cosi("get", "controllers")
        explained = shed.cosi("explain", "climate", "greenhouse")
    finally:
        for process in (workers, server):
            process.kill()
            process.wait()

    assert climate.metadata.owner == "greenhouse.ClimateController"
    assert listed.count("process ") == 2
    assert "because Readings.greenhouse.example(greenhouse/south@1) was created" in explained


def test_its_own_tests_pass(installed: Shed, tmp_path: Path) -> None:
    tests = shutil.copytree(ROOT / "examples/third_party/tests", tmp_path / "tests")

    installed.run(sys.executable, "-m", "pytest", "-q", tests)
