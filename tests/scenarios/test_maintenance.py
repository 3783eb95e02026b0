"""A node without a config takes its first one from anybody, shows them little, and from then on knows them no more."""

import stat
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.http2.status import Code
from resources import config_status, machine_config
from resources.config_status import ConfigStatus
from resources.machine_config import MachineConfig
from talos._pb.machine import machine_pb2
from tests.scenarios.door import administrator, door_of
from tests.scenarios.node import Site, until
from tests.talosctl.talosctl import MACHINE, Talosctl
from tests.talosctl.wire import CallFailed

Mode = machine_pb2.ApplyConfigurationRequest

FIRST = b"version: v1alpha1\n# first\n"
SECOND = b"version: v1alpha1\n# second\n"

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def refused(talosctl: Talosctl, path: str) -> tuple[int, str]:
    with pytest.raises(CallFailed) as failed:
        await talosctl.unary(path, Empty(), Empty)
    return failed.value.code, failed.value.message


async def until_cut_off(events: AsyncIterator[state_pb2.Event]) -> None:
    with pytest.raises(ConnectionError):
        [event async for event in events]


async def test_anybody_reads_what_is_not_sensitive(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as talosctl:
        ((version,),) = (each.messages for each in await talosctl.version())
        definitions = await talosctl.get("rd")
        for type in ("machineconfig", "configrequest"):
            with pytest.raises(CallFailed, match="not authorized"):
                await talosctl.get(type)

    assert version.version.tag == "v1.11.0"
    assert definitions


@pytest.mark.parametrize("method", ["Reboot", "Upgrade", "Read", "Rollback", "Reset", "GenerateClientConfiguration"])
async def test_nobody_does_what_is_not_a_readers(site: Site, tmp_path: Path, method: str) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as talosctl:
        assert await refused(talosctl, f"{MACHINE}/{method}") == (Code.PERMISSION_DENIED, "not authorized")


async def test_a_login_counts_for_no_more_than_none(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).talosctl() as talosctl:
        await talosctl.version()
        with pytest.raises(CallFailed, match="not authorized"):
            await talosctl.get("machineconfig")


@pytest.mark.parametrize("mode", [Mode.REBOOT, Mode.AUTO, Mode.NO_REBOOT])
async def test_the_first_config_is_taken_from_anybody_and_kept(site: Site, tmp_path: Path, mode: Mode.Mode) -> None:
    async with door_of(site) as state:
        async with administrator(tmp_path).insecure() as talosctl:
            answer = await talosctl.apply_config(FIRST, mode)

        assert (answer.mode, answer.mode_details) == (Mode.NO_REBOOT, "Applied configuration without a reboot")
        in_force = await state.get(MachineConfig, machine_config.ID)
        assert in_force.spec.yaml_marshalled == FIRST
    assert site.config.read_bytes() == FIRST
    assert stat.S_IMODE(site.config.stat().st_mode) == 0o600


async def test_with_the_first_config_the_door_asks_for_certificates(site: Site, tmp_path: Path) -> None:
    async with door_of(site):
        async with administrator(tmp_path).insecure() as nobody:
            await nobody.apply_config(FIRST)
        with pytest.raises(ConnectionError):
            async with administrator(tmp_path).insecure() as nobody:
                await nobody.version()
        async with administrator(tmp_path).talosctl() as talosctl:
            ((_, found), *_) = await talosctl.get("machineconfig", "v1alpha1")
            await talosctl.apply_config(SECOND)

    assert "# first" in found.spec.yaml_spec


async def test_a_watch_of_somebody_without_a_certificate_is_cut_off(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as nobody, aclosing(nobody.watch("rd")) as events:
        await anext(events)
        await nobody.apply_config(FIRST)
        await until_cut_off(events)


async def test_a_second_config_is_not_taken_from_who_has_no_certificate(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as nobody:
        await nobody.apply_config(FIRST)
        with pytest.raises((CallFailed, ConnectionError), match=r"not authorized|connection (has )?ended"):
            await nobody.apply_config(SECOND)
    assert site.config.read_bytes() == FIRST


async def test_a_broken_config_leaves_the_node_in_maintenance(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as talosctl:
        with pytest.raises(CallFailed, match="line 1"):
            await talosctl.apply_config(b"version: v2\n")
        assert not site.config.exists()
        dry = await talosctl.apply_config(FIRST, dry_run=True)
        assert not site.config.exists()
        await talosctl.apply_config(FIRST)

    assert "+version: v1alpha1" in dry.mode_details


async def test_a_trial_needs_a_config_to_go_back_to(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as talosctl:
        with pytest.raises(CallFailed, match="no config yet to go back to") as failed:
            await talosctl.apply_config(FIRST, Mode.TRY)

    assert failed.value.code == Code.FAILED_PRECONDITION


async def test_a_staged_first_config_is_in_force_after_the_next_start(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as talosctl:
        await talosctl.apply_config(FIRST, Mode.STAGED)
        await talosctl.version()
    async with door_of(site) as state:
        await until(state, MachineConfig, machine_config.ID, lambda found: found.spec.yaml_marshalled == FIRST)
        with pytest.raises(ConnectionError):
            async with administrator(tmp_path).insecure() as nobody:
                await nobody.version()


async def test_a_file_put_there_by_hand_ends_maintenance(site: Site, tmp_path: Path) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as nobody, aclosing(nobody.watch("rd")) as events:
        await anext(events)
        site.config.write_bytes(FIRST)
        await until_cut_off(events)


@pytest.mark.parametrize("left", ["broken file", "no file"])
async def test_a_node_that_had_a_config_asks_for_certificates_whatever_became_of_it(
    site: Site, tmp_path: Path, left: str
) -> None:
    async with door_of(site), administrator(tmp_path).insecure() as talosctl:
        await talosctl.apply_config(FIRST)
    if left == "no file":
        site.config.unlink()
    else:
        site.config.write_text("broken")

    async with door_of(site) as state:
        with pytest.raises(ConnectionError):
            async with administrator(tmp_path).insecure() as nobody:
                await nobody.version()
        status = await until(state, ConfigStatus, config_status.ID, lambda _: True)

    assert status.spec.in_force == "the last good config"


async def test_a_node_whose_only_config_is_broken_asks_for_certificates(site: Site, tmp_path: Path) -> None:
    site.config.write_text("broken")

    async with door_of(site):
        with pytest.raises(ConnectionError):
            async with administrator(tmp_path).insecure() as nobody:
                await nobody.version()
