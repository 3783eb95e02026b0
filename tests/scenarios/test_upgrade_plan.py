"""`machined upgrade --dry-run` says of each extension what would become of it, and changes nothing."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from machined.upgrade import describe
from resources.extension_plan import ExtensionPlan, ExtensionPlanSpec, PlanState
from resources.upgrade_request import UpgradeRequest
from tests.scenarios.node import Site, until_planned

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64


@pytest.mark.parametrize(
    ("state", "running", "wanted", "line"),
    [
        (PlanState.ACTIVE, OLD, OLD, f"kept     000.x  {OLD}"),
        (PlanState.REMOVED, OLD, "", f"removed  000.x  {OLD}"),
        (PlanState.STAGED, OLD, NEW, f"changed  000.x  {OLD} -> {NEW}"),
        (PlanState.STAGED, "", NEW, f"added    000.x  {NEW}"),
        (PlanState.PENDING, "", "", "pending  000.x  why"),
        (PlanState.FAILED, "", "", "failed   000.x  why"),
    ],
)
def test_each_state_has_its_word(state: PlanState, running: str, wanted: str, line: str) -> None:
    spec = ExtensionPlanSpec(state=state, running=running, wanted=wanted, message="why")

    assert describe([ExtensionPlan.new("000.x", spec)]) == line


def test_no_extensions_are_a_plan_too() -> None:
    assert describe([]) == "no extensions, and none wanted"


async def dry_run(site: Site) -> "subprocess.CompletedProcess[bytes]":
    """Run the command beside the node."""
    machined = str(Path(sys.executable).parent / "machined")
    command = [machined, "upgrade", "--dry-run", "--server", f"unix:{site.options.addresses[0].path}"]
    return await anyio.run_process(command, check=False)


@pytest.mark.anyio
async def test_a_dry_run_shows_what_is_staged_and_asks_for_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    first, second = site.add_good_image("first"), site.add_good_image("second")
    site.write_config(first)

    async with site.node() as state:
        await until_planned(state, 0, first, lambda plan: plan.state is PlanState.ACTIVE)
        site.write_config(first, second)
        await until_planned(state, 1, second, lambda plan: plan.state is PlanState.STAGED)
        shown = await dry_run(site)
        asked = await state.list(UpgradeRequest)

    lines = [line.split()[:2] for line in shown.stdout.decode().splitlines()]
    assert lines == [["kept", "000.oci-images-first"], ["added", "001.oci-images-second"]]
    assert shown.returncode == 0
    assert not asked


@pytest.mark.anyio
async def test_a_dry_run_fails_where_an_upgrade_would_be_refused(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.write_config("oci:images:missing")
    site.add_good_image()

    async with site.node() as state:
        await until_planned(state, 0, "oci:images:missing", lambda plan: bool(plan.message))
        shown = await dry_run(site)

    assert shown.returncode == 1
    assert b"000.oci-images-missing" in shown.stderr
