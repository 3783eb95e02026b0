"""talosctl changes the config: for good, from the next start on, or for a time; and is told all that is wrong."""

import stat
from pathlib import Path

import anyio
import msgspec
import pytest

from cosi.clock import SYSTEM
from cosi.rpc.http2.status import Code
from cosi.state.state import State
from cosi.testing.clock import ManualClock
from resources import config_status, machine_config
from resources.config_status import ConfigStatus
from resources.machine_config import MachineConfig
from talos._pb.machine import machine_pb2
from tests.scenarios.door import administrator, door_of, give_door, login
from tests.scenarios.node import Site, until, until_active, until_planned
from tests.talosctl import lifecycle
from tests.talosctl.talosctl import Talosctl
from tests.talosctl.wire import CallFailed

Mode = machine_pb2.ApplyConfigurationRequest

OLD = b"version: v1alpha1\n# old\n"
NEW = b"version: v1alpha1\n# new\n"
NEWER = b"version: v1alpha1\n# newer\n"

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def site(tmp_path: Path, clock: ManualClock) -> Site:
    site = Site(tmp_path)
    site.options = msgspec.structs.replace(site.options, clock=clock)
    site.config.write_bytes(OLD)
    return site


async def in_force(state: State) -> bytes:
    return (await state.get(MachineConfig, machine_config.ID)).spec.yaml_marshalled


async def lasting(state: State) -> bytes:
    return (await state.get(MachineConfig, machine_config.LASTING_ID)).spec.yaml_marshalled


async def until_in_force(state: State, config: bytes) -> None:
    await until(state, MachineConfig, machine_config.ID, lambda found: found.spec.yaml_marshalled == config)


async def status(state: State) -> config_status.ConfigStatusSpec:
    return (await state.get(ConfigStatus, config_status.ID)).spec


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.NO_REBOOT])
async def test_an_applied_config_is_in_force_and_in_the_file(site: Site, tmp_path: Path, mode: Mode.Mode) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        answer = await talosctl.apply_config(NEW, mode)

        assert (answer.mode, answer.mode_details) == (Mode.NO_REBOOT, "Applied configuration without a reboot")
        assert (await in_force(state), await lasting(state)) == (NEW, NEW)
        assert (await status(state)).in_force == "the config file"
    assert site.config.read_bytes() == NEW
    assert stat.S_IMODE(site.config.stat().st_mode) == 0o600


async def test_a_staged_config_is_in_force_after_the_next_start(site: Site, tmp_path: Path) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        answer = await talosctl.apply_config(NEW, Mode.STAGED)

        details = "Staged configuration to be applied after the next reboot"
        assert (answer.mode, answer.mode_details) == (Mode.STAGED, details)
        assert (await in_force(state), await lasting(state)) == (OLD, NEW)
        assert (await status(state)).staged
        assert site.config.read_bytes() == OLD
    async with door_of(site) as state:
        await until_in_force(state, NEW)
        told = await until(state, ConfigStatus, config_status.ID, lambda found: found.spec.valid)
        assert not told.spec.staged
    assert site.config.read_bytes() == NEW


@pytest.mark.parametrize("staged", [False, True])
async def test_a_reboot_puts_in_force_what_lasts(site: Site, tmp_path: Path, staged: bool) -> None:
    site.options = msgspec.structs.replace(site.options, clock=SYSTEM)
    give_door(site, tmp_path)
    async with site.living():
        login = administrator(tmp_path)
        async with login.talosctl() as talosctl:
            await talosctl.apply_config(NEW, Mode.TRY)
            if staged:
                await talosctl.apply_config(NEWER, Mode.STAGED)

        await lifecycle.reboot(login.talosctl)

        async with login.talosctl() as talosctl:
            ((_, found),) = await talosctl.get("machineconfig", "v1alpha1")
    assert ("# newer" if staged else "# old") in found.spec.yaml_spec
    assert site.config.read_bytes() == (NEWER if staged else OLD)


async def test_a_config_on_trial_is_reverted_though_nobody_is_there(
    site: Site, tmp_path: Path, clock: ManualClock
) -> None:
    async with door_of(site) as state:
        async with administrator(tmp_path).talosctl() as talosctl:
            answer = await talosctl.apply_config(NEW, Mode.TRY, seconds=90)

        assert answer.mode == Mode.TRY
        assert answer.mode_details == (
            "Applied configuration without a reboot\n"
            "The config is applied in 'try' mode and will be automatically reverted back in 1m30s"
        )
        assert (await in_force(state), await lasting(state)) == (NEW, OLD)
        assert (await status(state)).in_force.startswith("a config on trial until 20")
        assert site.config.read_bytes() == OLD

        await clock.advance(89)
        assert await in_force(state) == NEW
        await clock.advance(2)
        await until_in_force(state, OLD)


async def test_a_trial_is_lost_at_the_next_start(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).talosctl() as talosctl:
        await talosctl.apply_config(NEW, Mode.TRY)
    async with door_of(site) as state:
        await until_in_force(state, OLD)


async def test_applying_for_good_ends_a_trial_and_its_revert(site: Site, tmp_path: Path, clock: ManualClock) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await talosctl.apply_config(NEW, Mode.TRY)
        await talosctl.apply_config(NEWER)
        await clock.advance(3600)

        assert (await in_force(state), await lasting(state)) == (NEWER, NEWER)
        assert clock.next_due is None


async def test_a_file_edited_during_a_trial_wins(site: Site, tmp_path: Path) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await talosctl.apply_config(NEW, Mode.TRY)

        site.config.write_bytes(NEWER)

        await until_in_force(state, NEWER)


async def test_a_file_edited_after_staging_wins(site: Site, tmp_path: Path) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await talosctl.apply_config(NEW, Mode.STAGED)
        site.config.write_bytes(NEWER)
        await until_in_force(state, NEWER)
        await until(state, ConfigStatus, config_status.ID, lambda found: not found.spec.staged)
    async with door_of(site) as state:
        await until_in_force(state, NEWER)


async def test_a_dry_run_shows_what_would_change_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    site.write_config("oci:images:one")
    before = site.config.read_bytes()
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await until_in_force(state, before)
        answer = await talosctl.apply_config(before.replace(b"one", b"other"), dry_run=True)
        same = await talosctl.apply_config(before, Mode.STAGED, dry_run=True)

        assert await in_force(state) == before
    assert answer.mode == Mode.NO_REBOOT
    assert answer.mode_details == (
        "Dry run summary:\nApplied configuration without a reboot (skipped in dry-run).\nConfig diff:\n\n"
        "--- a\n+++ b\n@@ -2,4 +2,4 @@\n machine:\n     install:\n         extensions:\n"
        "-            - image: oci:images:one\n+            - image: oci:images:other\n"
    )
    assert same.mode_details == (
        "Dry run summary:\nStaged configuration to be applied after the next reboot (skipped in dry-run).\n"
        "Config diff:\n\nNo changes."
    )
    assert site.config.read_bytes() == before


async def test_changed_extensions_are_said_to_need_an_upgrade(site: Site, tmp_path: Path) -> None:
    first, second = site.add_good_image("first"), site.add_good_image("second")
    site.write_config(first)
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await until_active(state, 0, first)
        same = await talosctl.apply_config(site.config.read_bytes() + b"# a remark\n")
        other = await talosctl.apply_config(site.config.read_bytes().replace(b"first", b"second"))
        plan = await until_planned(state, 0, second, lambda plan: "upgrade" in plan.message)

    assert not same.warnings
    assert [each.partition(":")[0] for each in other.warnings] == ["the extensions have changed"]
    assert plan.message == "activates with `machined upgrade`"


async def test_a_broken_config_is_refused_with_all_its_faults_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    broken = b"version: v2\nmachine:\n  install:\n    extensions:\n      - imgae: one\n      - image: ''\n"
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await until_in_force(state, OLD)
        with pytest.raises(CallFailed) as refused:
            await talosctl.apply_config(broken)

        assert await in_force(state) == OLD
    assert refused.value.code == Code.INVALID_ARGUMENT
    first, *faults = refused.value.message.split("\n\t* ")
    assert first == "3 errors in the config, nothing was changed:"
    assert [fault.partition(":")[0] for fault in faults] == ["line 1", "line 5", "line 6"]
    assert "did you mean `image`?" in faults[1]
    assert site.config.read_bytes() == OLD


async def test_a_config_with_too_many_faults_is_refused_in_a_message_that_fits(site: Site, tmp_path: Path) -> None:
    broken = "version: v1alpha1\nmachine:\n  install:\n    extensions:\n" + "      - image: ''\n" * 90
    async with door_of(site), administrator(tmp_path).talosctl() as talosctl:
        with pytest.raises(CallFailed, match="90 errors in the config") as refused:
            await talosctl.apply_config(broken.encode())

    assert refused.value.message.endswith("and 75 more")


async def test_a_patch_is_not_taken_for_a_config(site: Site, tmp_path: Path) -> None:
    patch = b"apiVersion: v1alpha1\nkind: HostnameConfig\nhostname: other\n"
    async with door_of(site), administrator(tmp_path).talosctl() as talosctl:
        with pytest.raises(CallFailed, match="did you mean to patch the machine config instead") as refused:
            await talosctl.apply_config(patch)

    assert refused.value.code == Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("mode", "seconds", "code", "message"),
    [
        (Mode.REBOOT, 60, Code.UNIMPLEMENTED, "the REBOOT mode is not supported, please use AUTO or NO_REBOOT modes"),
        (9, 60, Code.INVALID_ARGUMENT, "incorrect mode '9' specified for the apply config call"),
        (Mode.TRY, 0, Code.INVALID_ARGUMENT, "a trial of 0s can't be"),
        (Mode.TRY, 1e9, Code.INVALID_ARGUMENT, "and at most 24h0m0s"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    site: Site, tmp_path: Path, mode: Mode.Mode, seconds: float, code: Code, message: str
) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await until_in_force(state, OLD)
        with pytest.raises(CallFailed, match=message) as refused:
            await talosctl.apply_config(NEW, mode, seconds=seconds)

        assert await in_force(state) == OLD
    assert refused.value.code == code


@pytest.mark.parametrize("role", ["os:operator", "os:reader"])
async def test_only_administrators_change_the_config(site: Site, tmp_path: Path, role: str) -> None:
    async with door_of(site) as state, login(tmp_path, role).talosctl() as talosctl:
        await until_in_force(state, OLD)
        with pytest.raises(CallFailed, match="not authorized") as refused:
            await talosctl.apply_config(NEW, dry_run=True)

    assert refused.value.code == Code.PERMISSION_DENIED


async def test_a_file_that_cannot_be_written_is_said_to_be_and_nothing_changes(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    real = elsewhere / "machine.yaml"
    real.write_bytes(OLD)
    site.config.unlink()
    site.config.symlink_to(real)
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await until_in_force(state, OLD)
        real.unlink()
        elsewhere.rmdir()
        for mode in (Mode.NO_REBOOT, Mode.STAGED):
            with pytest.raises(CallFailed, match=r"nothing was changed: .*elsewhere.*can't be written") as refused:
                await talosctl.apply_config(NEW, mode)
            assert refused.value.code == Code.FAILED_PRECONDITION

        assert (await in_force(state), await lasting(state)) == (OLD, OLD)
        assert not (await status(state)).staged


async def test_talosctl_edits_the_config_in_force(site: Site, tmp_path: Path) -> None:
    async with door_of(site) as state, administrator(tmp_path).talosctl() as talosctl:
        await until_in_force(state, OLD)
        (answer,) = await talosctl.edit_machine_config(lambda config: config + b"# and more\n")

        assert answer.mode_details == "Applied configuration without a reboot"
        assert await in_force(state) == OLD + b"# and more\n"


async def test_a_second_apply_while_one_is_under_way_is_refused(site: Site, tmp_path: Path) -> None:
    outcomes: list[str] = []

    async def apply(talosctl: Talosctl) -> None:
        try:
            outcomes.append((await talosctl.apply_config(NEW)).mode_details)
        except CallFailed as refused:
            outcomes.append(refused.message)

    async with door_of(site), administrator(tmp_path).talosctl() as talosctl, anyio.create_task_group() as tasks:
        tasks.start_soon(apply, talosctl)
        tasks.start_soon(apply, talosctl)

    assert sorted(outcomes) == [
        "Applied configuration without a reboot",
        "another apply configuration is already in progress",
    ]
