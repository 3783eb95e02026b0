"""A node's whole life as a process: start, follow its config, upgrade, stop, crash, start again."""

import base64
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.boot_status import BootStatus
from resources.extension_image import ExtensionImage
from resources.extension_status import ExtensionStatus
from talos.extensions.mounts import mounted_below
from tests.e2e.conftest import wait_for
from tests.e2e.programs import PATIENCE_SECONDS, Node, cosi, machined_run, watching, write_config
from tests.programs import may_have_namespaces
from tests.talos.registry_server import PASSWORD, USER, RegistryServer

HELLO = "oci:images:hello-v1.0.0"
HELLO_ID = "000.oci-images-hello-v1.0.0"
GVISOR = "oci:images:gvisor-20220117.0-v1.0.0"


@pytest.fixture
def site(tmp_path: Path, images: Path) -> Path:
    """A directory with the sample images beside the config."""
    (tmp_path / "images").symlink_to(images)
    return tmp_path


@pytest.fixture
def node(site: Path) -> Iterator[Node]:
    """A node that runs hello."""
    with machined_run(site, write_config(site, HELLO), "--log-format", "json") as running:
        wait_for(running, ExtensionStatus, HELLO_ID)
        yield running


@pytest.mark.parametrize("with_signal", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_clean(node: Node, with_signal: int) -> None:
    assert node.stop(with_signal) == 0
    assert "Traceback" not in node.log
    assert not node.socket.exists()


def test_a_watch_shows_an_upgrade_as_it_happens(node: Node, site: Path) -> None:
    with watching(node, "extensions") as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().split()[1] == "*"
        assert watch.stdout.readline().split()[1] == "+"

        write_config(site, GVISOR)
        wait_for(node, ExtensionImage, "000.oci-images-gvisor-20220117.0-v1.0.0")
        result = node.machined("upgrade")
        events = [watch.stdout.readline().split() for _ in range(2)]

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "upgraded: 1 added, 1 removed, 0 changed, 0 kept\n"
    assert sorted((event[1], event[4]) for event in events) == [
        ("+", "000.oci-images-gvisor-20220117.0-v1.0.0"),
        ("-", HELLO_ID),
    ]


def test_every_line_of_the_log_is_json_and_a_controllers_line_carries_its_name(node: Node) -> None:
    node.stop()

    lines = [json.loads(line) for line in node.log.splitlines()]

    named = {line["controller"] for line in lines if "controller" in line}
    assert {"runtime.ExtensionFetchController", "runtime.InstallController", "runtime.BootController"} <= named
    assert all({"event", "level", "timestamp"} <= line.keys() for line in lines)


def test_a_killed_node_starts_again_with_what_it_had(site: Path) -> None:
    config = write_config(site, HELLO)
    with machined_run(site, config) as first:
        wait_for(first, ExtensionStatus, HELLO_ID)
        first.stop(signal.SIGKILL)
    (site / "images").unlink()

    with machined_run(site, config) as second:
        status = wait_for(second, ExtensionStatus, HELLO_ID)
        boot = wait_for(second, BootStatus, "boot")
        assert (Path(boot.spec.root) / "usr/local").is_dir()

    assert status.spec.metadata.name == "hello"


@pytest.mark.parametrize("activation", ["auto", "namespace", "unpacked"])
def test_what_a_killed_node_left_active_goes_with_the_next_and_nothing_is_left_at_the_end(
    site: Path, activation: str
) -> None:
    if activation == "namespace" and not may_have_namespaces():
        pytest.skip("not allowed on this machine")
    config = write_config(site, HELLO)
    with machined_run(site, config, "--activation", activation) as first:
        wait_for(first, ExtensionStatus, HELLO_ID)
        first.stop(signal.SIGKILL)
        with machined_run(site, config, "--activation", activation) as second:
            wait_for(second, ExtensionStatus, HELLO_ID)
            trees = [path for path in (site / "state").glob(".root.*") if path.is_dir()]
            assert second.stop() == 0

    assert len(trees) == 1
    assert list((site / "state").glob("*root*")) == []
    assert mounted_below(site) == []


@pytest.mark.parametrize("lines_before_the_kill", [1, 2, 3, 4])
def test_a_node_killed_at_any_step_of_its_work_finishes_it_after_a_restart(
    site: Path, lines_before_the_kill: int
) -> None:
    config = write_config(site, HELLO, GVISOR)
    with machined_run(site, config) as first:
        while first.log.count("\n") < lines_before_the_kill:
            assert first.process.poll() is None, first.log
        first.stop(signal.SIGKILL)

    with machined_run(site, config) as second:
        wait_for(second, ExtensionStatus, HELLO_ID)
        wait_for(second, ExtensionStatus, "001.oci-images-gvisor-20220117.0-v1.0.0")
        assert second.stop() == 0

    leftovers = [
        path for path in (site / "state").rglob("*") if path.suffix == ".partial" or path.parent.name == "partial"
    ]
    assert leftovers == []


def test_a_second_node_on_the_same_state_is_refused(node: Node, site: Path) -> None:
    with machined_run(site, site / "machine.yaml") as second:
        assert second.process.wait(30) == 1

    assert f"machined: another node is running on {site}/state" in second.log
    assert node.cosi("get", "extensions").returncode == 0


def test_a_talosconfig_with_logins_to_other_nodes_is_left_alone(site: Path) -> None:
    config, login = write_config(site, HELLO), site / "talosconfig"
    theirs = "context: other\ncontexts:\n    other:\n        endpoints: [192.0.2.1]\n"
    login.write_text(theirs)

    options = ("--listen", "127.0.0.1:0", "--peer", "other=192.0.2.1", "--talosconfig", str(login))
    with machined_run(site, config, *options) as node:
        assert node.process.wait(PATIENCE_SECONDS) == 1
        last = node.log.splitlines()[-1]

    assert last == (
        f"machined: {login}: there are logins to other nodes in it (other); "
        "name another file, or merge: machined talosconfig --merge"
    )
    assert "Traceback" not in node.log
    assert login.read_text() == theirs


def test_without_a_node_the_command_line_says_what_to_do(tmp_path: Path) -> None:
    socket = tmp_path / "cosi.sock"

    result = cosi("get", "extensions", socket=socket)

    assert result.returncode == 1
    assert result.stderr.startswith(f"cosi: there is no socket {socket}: is the node running?")
    assert result.stderr.count("\n") == 1


def test_credentials_come_from_the_docker_config(site: Path, images: Path, private_registry: RegistryServer) -> None:
    private_registry.push(images, "hello-v1.0.0", "private/hello", as_tag="v1")
    (site / "docker").mkdir()
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (site / "docker/config.json").write_text(json.dumps({"auths": {private_registry.host: {"auth": login}}}))
    config = write_config(site, f"{private_registry.host}/private/hello:v1")
    id = f"000.{private_registry.host.replace(':', '-')}-private-hello-v1"

    with machined_run(site, config, environment={"DOCKER_CONFIG": str(site / "docker")}) as node:
        status = wait_for(node, ExtensionStatus, id)
        log = node.log

    assert status.spec.metadata.name == "hello"
    assert PASSWORD not in log
    assert login not in log
