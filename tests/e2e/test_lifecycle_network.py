"""talosctl restarts, upgrades and ends a node that is a process; whenever it is killed on the way, nothing is lost."""

import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, aclosing
from pathlib import Path

import anyio
import pytest

from resources.boot_status import BootStatus
from resources.extension_plan import ExtensionPlan, PlanState
from resources.extension_status import ExtensionStatus
from tests.e2e.conftest import wait_for
from tests.e2e.programs import PATIENCE_SECONDS, Node, machined_run, write_config
from tests.scenarios.door import administrator
from tests.talosctl import lifecycle

HELLO, HELLO_ID = "oci:images:hello-v1.0.0", "000.oci-images-hello-v1.0.0"
GVISOR, GVISOR_ID = "oci:images:gvisor-20220117.0-v1.0.0", "001.oci-images-gvisor-20220117.0-v1.0.0"


@pytest.fixture
def site(tmp_path: Path, images: Path) -> Path:
    """A directory with the sample images, and a config that asks for hello."""
    (tmp_path / "images").symlink_to(images)
    write_config(tmp_path, HELLO)
    return tmp_path


def run(site: Path) -> AbstractContextManager[Node]:
    options = ("--listen", "127.0.0.1:0", "--talosconfig", str(site / "talosconfig"), "--talos-version", "v1.14.0")
    return machined_run(site, site / "machine.yaml", *options)


@pytest.fixture
def node(site: Path) -> Iterator[Node]:
    """A node that runs hello."""
    with run(site) as node:
        wait_for(node, BootStatus, "boot", lambda status: status.spec.image == "0001")
        yield node


def test_a_reboot_leaves_the_process_and_starts_all_else_anew(node: Node, site: Path) -> None:
    anyio.run(lifecycle.reboot, administrator(site).talosctl)

    boots = re.findall(r"boot=([0-9a-f-]{36})", node.log)
    assert node.process.poll() is None
    assert len(set(boots)) == 2
    assert wait_for(node, BootStatus, "boot").spec.image == "0001"
    assert node.stop() == 0


def test_a_shutdown_ends_the_process_and_that_is_a_success(node: Node, site: Path) -> None:
    anyio.run(lifecycle.shutdown, administrator(site).talosctl)

    assert node.process.wait(PATIENCE_SECONDS) == 0
    assert "Traceback" not in node.log
    assert not node.socket.exists()


@pytest.mark.parametrize("lines_before_the_kill", range(1, 6))
def test_a_node_killed_at_any_step_of_an_upgrade_boots_the_old_image_or_the_new_one(
    node: Node, site: Path, lines_before_the_kill: int
) -> None:
    write_config(site, HELLO, GVISOR)
    wait_for(node, ExtensionPlan, GVISOR_ID, lambda plan: plan.spec.state is PlanState.STAGED)
    anyio.run(kill_in_an_upgrade, node, site, lines_before_the_kill)

    with run(site) as again:
        status = wait_for(again, BootStatus, "boot", lambda status: status.spec.image != "")
        assert status.spec.image in ("0001", "0002")
        assert wait_for(again, ExtensionStatus, HELLO_ID).spec.metadata.name == "hello"
        wait_for(again, ExtensionPlan, GVISOR_ID, lambda plan: plan.spec.state in (PlanState.STAGED, PlanState.ACTIVE))
        anyio.run(lifecycle.upgrade, administrator(site).talosctl)
        assert wait_for(again, ExtensionStatus, GVISOR_ID).spec.metadata.name == "gvisor"
        assert again.stop() == 0

    state = site / "state"
    leftovers = [path for path in state.rglob("*") if path.suffix == ".partial" or path.parent.name == "partial"]
    assert leftovers == []
    assert len([path for path in (state / "boot").iterdir() if not path.is_symlink()]) == 2


async def kill_in_an_upgrade(node: Node, site: Path, lines: int) -> None:
    """Begin an upgrade, and kill the node when it has told so much of it, or all."""
    with anyio.fail_after(PATIENCE_SECONDS):
        async with administrator(site).talosctl() as client:
            told = 0
            async with aclosing(lifecycle.upgrade_answers(client)) as answers:
                async for _ in answers:
                    told += 1
                    if told == lines:
                        break
            node.stop(signal.SIGKILL)
