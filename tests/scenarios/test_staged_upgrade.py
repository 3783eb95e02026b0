"""An upgrade that is staged is complete on disk, and what runs goes on until the node starts again."""

from pathlib import Path

import pytest

from cosi.state.state import State
from resources import boot_status
from resources.boot_status import BootStatus
from resources.extension_plan import PlanState
from tests.scenarios.node import Site, active, until, until_active, until_planned, upgrade
from tests.talos.extensions import archives

pytestmark = pytest.mark.anyio

NEXT_BOOT = "installed, activates at the next boot"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    for tag in ("first", "second", "third"):
        site.add_good_image(tag)
    site.write_config("oci:images:first")
    return site


async def stage(site: Site, state: State, *tags: str) -> str:
    """Ask for these images instead, and stage them; return the name of the image that boots next."""
    images = [f"oci:images:{tag}" for tag in tags]
    site.write_config(*images)
    for index, image in enumerate(images):
        await until_planned(state, index, image, lambda plan: plan.state in (PlanState.STAGED, PlanState.ACTIVE))
    answer = await upgrade(state, "-".join(tags), stage=True)
    assert answer.upgraded, answer.outcome
    return answer.next


async def booted(state: State, name: str) -> None:
    """Wait until an image is active."""
    await until(state, BootStatus, boot_status.ID, lambda status: status.spec.image == name)


def images_of(site: Site) -> list[str]:
    return sorted(path.name for path in (site.options.state / "boot").iterdir() if not path.is_symlink())


async def test_what_is_staged_activates_when_the_node_starts_again(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")
        site.write_config("oci:images:first", "oci:images:second")
        await until_planned(state, 1, "oci:images:second", lambda plan: plan.state is PlanState.STAGED)

        answer = await upgrade(state, stage=True)

        assert answer.outcome == "upgraded: 1 added, 0 removed, 0 changed, 1 kept; activates at the next boot"
        assert (answer.name, answer.next) == ("0001", "0002")
        status = await until(state, BootStatus, boot_status.ID, lambda status: status.spec.next == "0002")
        assert status.spec.image == "0001"
        await until_planned(state, 1, "oci:images:second", lambda plan: plan.message == NEXT_BOOT)
        assert await active(state) == ["000.oci-images-first"]

    async with site.node() as state:
        await until_active(state, 1, "oci:images:second")
        status = await until(state, BootStatus, boot_status.ID, lambda status: status.spec.image == "0002")
        assert status.spec.next == ""


async def test_an_extension_that_goes_says_that_it_stays_until_the_next_boot(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")
        await stage(site, state, "second")

        leaving = await until_planned(state, 0, "oci:images:first", lambda plan: "next boot" in plan.message)

        assert leaving.state is PlanState.REMOVED
        assert await active(state) == ["000.oci-images-first"]


async def test_a_second_one_takes_the_place_of_the_first_and_what_runs_is_kept(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")
        await stage(site, state, "second")
        assert await stage(site, state, "third") == "0003"
        kept = images_of(site)

    assert kept == ["0001", "0003"]
    async with site.node() as state:
        await until_active(state, 0, "oci:images:third")


async def test_an_upgrade_that_is_not_staged_activates_what_was(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")
        await stage(site, state, "second")

        answer = await upgrade(state, "now")

        assert (answer.name, answer.next) == ("0002", "")
        await booted(state, "0002")


async def test_a_rollback_takes_back_what_was_staged(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")
        await stage(site, state, "second")

        answer = await upgrade(state, "back", rollback=True, stage=True)

        assert answer.outcome == "rolled back from 0002 to 0001"
        assert (answer.name, answer.next) == ("0001", "")
    async with site.node() as state:
        await booted(state, "0001")


async def test_a_staged_rollback_waits_for_the_next_boot(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")
        await stage(site, state, "second")
    async with site.node() as state:
        await booted(state, "0002")

        answer = await upgrade(state, "back", rollback=True, stage=True)

        assert answer.outcome == "rolled back from 0002 to 0001; activates at the next boot"
        assert await active(state) == ["000.oci-images-second"]
    async with site.node() as state:
        await booted(state, "0001")


async def test_an_upgrade_tries_once_more_what_could_not_be_had_and_looks_again_at_what_was_broken(site: Site) -> None:
    bad = site.add_image("bad", archives.file("rootfs/boot/vmlinuz"))
    site.write_config("oci:images:missing", bad)
    async with site.node() as state:
        await until_planned(state, 0, "oci:images:missing", lambda plan: plan.state is PlanState.FAILED)
        await until_planned(state, 1, bad, lambda plan: plan.state is PlanState.FAILED)
        site.add_good_image("missing")
        site.add_good_image("bad")

        answer = await upgrade(state, stage=True)

        assert answer.outcome == "upgraded: 2 added, 0 removed, 0 changed, 0 kept; activates at the next boot"


async def test_staging_what_runs_already_changes_nothing(site: Site) -> None:
    async with site.node() as state:
        await until_active(state, 0, "oci:images:first")

        answer = await upgrade(state, stage=True)

    assert (answer.outcome, answer.next) == ("upgraded: nothing had changed", "")
