"""A node that is killed with a config on trial and another one staged comes back with the right one in force."""

import base64
import json
import signal
from pathlib import Path

import anyio
import pytest

from resources import config_status
from resources.config_status import ConfigStatus
from resources.machine_config import MachineConfig
from talos._pb.machine import machine_pb2
from tests.e2e.conftest import wait_for
from tests.e2e.programs import Node, machined_run
from tests.scenarios.door import administrator

Mode = machine_pb2.ApplyConfigurationRequest

OLD = b"version: v1alpha1\n# old\n"
TRIED = b"version: v1alpha1\n# tried\n"
STAGED = b"version: v1alpha1\n# staged\n"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    return ["--listen", "127.0.0.1:0", "--talosconfig", str(tmp_path / "talosconfig")]


def in_force(node: Node) -> bytes:
    return wait_for(node, MachineConfig, "v1alpha1").spec.yaml_marshalled


def apply(directory: Path, config: bytes, mode: Mode.Mode, *, insecure: bool = False) -> None:
    async def call() -> None:
        login = administrator(directory)
        async with login.insecure() if insecure else login.talosctl() as talosctl:
            await talosctl.apply_config(config, mode)

    anyio.run(call)


@pytest.mark.parametrize("staged", [False, True])
def test_a_killed_node_comes_back_with_what_lasts(tmp_path: Path, options: list[str], staged: bool) -> None:
    config = tmp_path / "machine.yaml"
    config.write_bytes(OLD)
    with machined_run(tmp_path, config, *options) as node:
        assert in_force(node) == OLD
        apply(tmp_path, TRIED, Mode.TRY)
        if staged:
            apply(tmp_path, STAGED, Mode.STAGED)
        assert in_force(node) == TRIED
        node.stop(signal.SIGKILL)
    assert config.read_bytes() == OLD

    with machined_run(tmp_path, config, *options) as node:
        lasting = STAGED if staged else OLD
        assert in_force(node) == lasting
        assert config.read_bytes() == lasting


def test_a_node_in_maintenance_stops_when_told_to(tmp_path: Path, options: list[str]) -> None:
    with machined_run(tmp_path, tmp_path / "machine.yaml", *options) as node:
        wait_for(node, ConfigStatus, config_status.ID)

        assert node.stop() == 0
        assert "Traceback" not in node.log


def test_the_fingerprint_in_the_log_vouches_for_a_node_in_maintenance(tmp_path: Path, options: list[str]) -> None:
    with machined_run(tmp_path, tmp_path / "machine.yaml", *options, "--log-format", "json") as node:
        wait_for(node, ConfigStatus, config_status.ID)
        lines = [json.loads(line) for line in node.log.splitlines()]
        (told,) = (line["cert_fingerprint"] for line in lines if "cert_fingerprint" in line)
        target = administrator(tmp_path).address.target

        results = [
            node.cosi("get", "configstatus", "--insecure", "--nodes", target, "--cert-fingerprint", each)
            for each in (told, base64.b64encode(bytes(32)).decode())
        ]

    assert [result.returncode for result in results] == [0, 1]
    assert "nothing yet" in results[0].stdout


def test_a_node_without_a_config_says_how_to_give_it_one(tmp_path: Path, options: list[str]) -> None:
    config = tmp_path / "machine.yaml"
    with machined_run(tmp_path, config, *options) as node:
        wait_for(node, ConfigStatus, config_status.ID)
        how = f"talosctl apply-config --insecure --nodes {administrator(tmp_path).address.target} --file FILE"
        assert how in node.log

        apply(tmp_path, OLD, Mode.AUTO, insecure=True)

        assert in_force(node) == OLD
        node.stop(signal.SIGKILL)

    with machined_run(tmp_path, config, *options) as node:
        assert in_force(node) == OLD
        assert node.log.count("the node has no config") == 1
