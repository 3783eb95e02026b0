"""talosctl upgrades a node, restarts it, takes an upgrade back and shuts it down, and sees each through to its end."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest

from cosi.rpc.http2.status import Code
from cosi.state import errors
from resources import boot_status
from resources.boot_status import BootStatus
from resources.extension_plan import PlanState
from talos._pb.machine import machine_pb2
from talos._pb.machine.image_pb2 import ImageServicePullLayerProgress
from tests.scenarios.door import Login, administrator, give_door
from tests.scenarios.node import Site, active, until, until_active, until_planned
from tests.talos.extensions import archives
from tests.talosctl import lifecycle
from tests.talosctl.wire import CallFailed

pytestmark = pytest.mark.anyio

POLL_SECONDS = 0.05

FIRST, SECOND, BAD = "oci:images:first", "oci:images:second", "oci:images:bad"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A node with a door that runs `first`, by the rules of a Talos with the newer upgrade."""
    site = Site(tmp_path)
    give_door(site, tmp_path)
    site.options = msgspec.structs.replace(site.options, talos_version="v1.14.0")
    site.add_good_image("first")
    site.add_good_image("second")
    site.write_config(FIRST)
    return site


@pytest.fixture
async def login(site: Site, tmp_path: Path) -> AsyncIterator[Login]:
    """The administrator's login to a node that has booted."""
    async with site.living():
        async with site.state() as state:
            await until_active(state, 0, FIRST)
        yield administrator(tmp_path)


async def ask_for(site: Site, *images: str) -> None:
    """Change the config, and wait until the last image that is new is staged."""
    site.write_config(*images)
    async with site.state() as state:
        await until_planned(state, len(images) - 1, images[-1], lambda plan: plan.state is PlanState.STAGED)


async def running(site: Site) -> tuple[str, list[str]]:
    """Return the name of the image that runs, and its extensions."""
    async with site.state() as state:
        status = await until(state, BootStatus, boot_status.ID, lambda status: status.spec.image != "")
        return status.spec.image, list(await active(state))


async def until_running(site: Site, image: str) -> None:
    """Wait until an image runs, across a restart."""
    while True:
        try:
            async with site.state() as state:
                await until(state, BootStatus, boot_status.ID, lambda status: status.spec.image == image)
                return
        except errors.StateError:
            await anyio.sleep(POLL_SECONDS)  # the node is on its way down or up, and tells nobody when it is back


async def test_a_reboot_completes(site: Site, login: Login) -> None:
    shown = await lifecycle.reboot(login.talosctl)

    sequence, ready = shown[0], shown[-1]
    assert isinstance(sequence, machine_pb2.SequenceEvent)
    assert (sequence.sequence, sequence.action) == ("reboot", machine_pb2.SequenceEvent.START)
    assert isinstance(ready, machine_pb2.MachineStatusEvent)
    assert await running(site) == ("0001", ["000.oci-images-first"])


async def test_an_upgrade_is_active_after_the_reboot_that_belongs_to_it_and_so_is_the_next(
    site: Site, login: Login
) -> None:
    await ask_for(site, FIRST, SECOND)
    lines = await lifecycle.upgrade(login.talosctl)
    after_one = await running(site)
    await ask_for(site, SECOND)
    await lifecycle.upgrade(login.talosctl)

    assert lines[0].startswith(f"{lifecycle.INSTALLER} is not used")
    assert any(line.startswith("001.oci-images-second: sha256:") for line in lines)
    assert lines[-1] == "upgraded: 1 added, 0 removed, 0 changed, 1 kept; activates at the next boot\n"
    assert after_one == ("0002", ["000.oci-images-first", "001.oci-images-second"])
    assert await running(site) == ("0003", ["000.oci-images-second"])


async def test_until_the_reboot_nothing_changes(site: Site, login: Login) -> None:
    await ask_for(site, FIRST, SECOND)
    async with login.talosctl() as talosctl:
        await lifecycle.lifecycle_upgrade(talosctl)

    assert await running(site) == ("0001", ["000.oci-images-first"])
    async with site.state() as state:
        status = await until(state, BootStatus, boot_status.ID, lambda status: status.spec.next != "")
    assert status.spec.next == "0002"


@pytest.mark.parametrize("stage", [False, True])
async def test_the_older_upgrade_installs_and_reboots_by_itself(site: Site, login: Login, stage: bool) -> None:
    await ask_for(site, SECOND)

    shown = await lifecycle.legacy_upgrade(login.talosctl, stage=stage)

    tasks = [said.task for said in shown if isinstance(said, machine_pb2.TaskEvent)]
    assert tasks[:2] == ["upgrade", "upgrade"]
    assert await running(site) == ("0002", ["000.oci-images-second"])


async def test_a_refused_upgrade_says_why_and_the_node_goes_on(site: Site, login: Login) -> None:
    site.add_image("bad", archives.file("rootfs/boot/vmlinuz"))
    site.write_config(FIRST, BAD)
    async with site.state() as state:
        await until_planned(state, 1, BAD, lambda plan: plan.state is PlanState.FAILED)

    async with login.talosctl() as talosctl:
        with pytest.raises(lifecycle.UpgradeFailed, match=r"001\.oci-images-bad: path-not-allowed") as refused:
            await lifecycle.lifecycle_upgrade(talosctl)

    assert refused.value.args[1] == [7]
    assert await running(site) == ("0001", ["000.oci-images-first"])


async def test_a_refused_older_upgrade_is_told_in_its_events_and_the_node_goes_on(site: Site, login: Login) -> None:
    site.add_image("bad", archives.file("rootfs/boot/vmlinuz"))
    site.write_config(FIRST, BAD)
    async with site.state() as state:
        await until_planned(state, 1, BAD, lambda plan: plan.state is PlanState.FAILED)

    with pytest.RaisesGroup(
        pytest.RaisesExc(lifecycle.SequenceFailed, match="upgrade refused, nothing was changed: 001.oci-images-bad")
    ):
        await lifecycle.legacy_upgrade(login.talosctl)

    assert await running(site) == ("0001", ["000.oci-images-first"])


async def test_there_is_one_upgrade_at_a_time(site: Site, login: Login) -> None:
    site.write_config(FIRST, "127.0.0.1:1/never/there:v1.0.0")  # tried for some seconds before it is given up

    async with login.talosctl() as talosctl:
        answers = lifecycle.upgrade_answers(talosctl)
        await anext(answers)
        with pytest.raises(CallFailed, match=r"^9: another installation/upgrade is already in progress$"):
            await lifecycle.lifecycle_upgrade(talosctl)
        await answers.aclose()


async def test_a_rollback_boots_the_image_before(site: Site, login: Login) -> None:
    await ask_for(site, SECOND)
    await lifecycle.upgrade(login.talosctl)

    await lifecycle.rollback(login.talosctl)
    await until_running(site, "0001")

    assert await running(site) == ("0001", ["000.oci-images-first"])


async def test_a_rollback_without_an_image_before_is_refused(site: Site, login: Login) -> None:
    with pytest.raises(CallFailed, match="there is no other image to boot") as refused:
        await lifecycle.rollback(login.talosctl)

    assert refused.value.code == Code.FAILED_PRECONDITION
    assert await running(site) == ("0001", ["000.oci-images-first"])


async def test_a_pull_brings_what_the_config_asks_for_and_names_what_it_was_asked_for(site: Site, login: Login) -> None:
    await ask_for(site, FIRST, SECOND)

    async with login.talosctl() as talosctl:
        progress = await lifecycle.image_pull(talosctl)
        images = await lifecycle.image_list(talosctl)

    assert {each.layer_id for each in progress} == {"000.oci-images-first", "001.oci-images-second"}
    assert {each.progress.status for each in progress} == {ImageServicePullLayerProgress.ALREADY_EXISTS}
    assert [image.name for image in images] == [FIRST, SECOND]
    assert all(image.digest.startswith("sha256:") and image.size for image in images)


async def test_a_pull_says_which_extension_cannot_be_had(site: Site, login: Login) -> None:
    site.write_config(FIRST, "oci:images:missing")
    async with site.state() as state:
        await until_planned(state, 1, "oci:images:missing", lambda plan: plan.state is PlanState.FAILED)

    async with login.talosctl() as talosctl:
        with pytest.raises(CallFailed, match="error pulling image: oci:images:missing: ") as refused:
            await lifecycle.image_pull(talosctl)

    assert refused.value.code == Code.FAILED_PRECONDITION


async def test_a_pull_tries_once_more_what_could_not_be_had(site: Site, login: Login) -> None:
    site.write_config(FIRST, "oci:images:missing")
    async with site.state() as state:
        await until_planned(state, 1, "oci:images:missing", lambda plan: plan.state is PlanState.FAILED)
    site.add_good_image("missing")

    async with login.talosctl() as talosctl:
        progress = await lifecycle.image_pull(talosctl)

    assert [each.layer_id for each in progress] == ["000.oci-images-first", "001.oci-images-missing"]


async def test_a_shutdown_ends_the_node(site: Site, tmp_path: Path) -> None:
    async with site.living() as ended:
        await lifecycle.shutdown(administrator(tmp_path).talosctl)
        await ended.wait()

    assert not Path(site.options.addresses[0].path).exists()
