"""The node's stage follows from what it is going through, and what it lacks is said in a sentence."""

import pytest

from controllers.machine_status import NOT_ACTIVE, MachineStatusController
from cosi.testing.world import World, running
from resources import boot_status, config_status, machine_status, sequence_status
from resources.boot_status import BootStatus, BootStatusSpec
from resources.config_status import ConfigStatus, ConfigStatusSpec
from resources.machine_config import MachineConfig
from resources.machine_status import MachineStage, MachineStatus, MachineStatusSpec, Readiness, UnmetCondition
from resources.sequence_status import SequenceName, SequenceStatus, SequenceStatusSpec

pytestmark = pytest.mark.anyio

READY = Readiness(ready=True)


async def go_through(world: World, sequence: SequenceName, phase: str = "") -> None:
    spec = SequenceStatusSpec(sequence=sequence, phase=phase)
    await world.state.modify(SequenceStatus.new(sequence_status.ID, spec))


async def expect(world: World, stage: MachineStage, status: Readiness = READY) -> None:
    await world.expect(MachineStatus.new(machine_status.ID, MachineStatusSpec(stage=stage, status=status)))


def lacking(reason: str) -> Readiness:
    return Readiness(unmet_conditions=(UnmetCondition(name="extensions", reason=reason),))


async def test_a_node_boots_runs_upgrades_and_restarts() -> None:
    async with running(MachineStatusController()) as world:
        await go_through(world, SequenceName.BOOT)
        await expect(world, MachineStage.BOOTING, lacking(NOT_ACTIVE))
        await world.state.create(BootStatus.new(boot_status.ID, BootStatusSpec(image="0001")))
        await go_through(world, SequenceName.NONE)
        await expect(world, MachineStage.RUNNING)
        await go_through(world, SequenceName.UPGRADE, "upgrade")
        await expect(world, MachineStage.UPGRADING)
        await go_through(world, SequenceName.UPGRADE, "reboot")
        await expect(world, MachineStage.REBOOTING)
        await go_through(world, SequenceName.SHUTDOWN)
        await expect(world, MachineStage.SHUTTING_DOWN)


async def test_a_boot_that_fails_says_why() -> None:
    async with running(MachineStatusController()) as world:
        await go_through(world, SequenceName.BOOT)
        await world.state.create(BootStatus.new(boot_status.ID, BootStatusSpec(problem="no loop device")))

        await expect(world, MachineStage.BOOTING, lacking("no loop device"))


async def test_a_node_without_a_config_in_force_is_in_maintenance_until_it_has_one() -> None:
    async with running(MachineStatusController()) as world:
        await go_through(world, SequenceName.BOOT)
        await world.state.create(ConfigStatus.new(config_status.ID, ConfigStatusSpec(problem="no file")))
        await expect(world, MachineStage.MAINTENANCE)

        await world.state.create(MachineConfig.active(b"version: v1alpha1\n"))
        await expect(world, MachineStage.BOOTING, lacking(NOT_ACTIVE))


def test_the_status_is_shown_as_talos_shows_it() -> None:
    spec = MachineStatusSpec(stage=MachineStage.SHUTTING_DOWN, status=lacking("it goes"))

    assert spec.to_yaml() == (
        "stage: shutting down\n"
        "status:\n"
        "    ready: false\n"
        "    unmetConditions:\n"
        "        - name: extensions\n"
        "          reason: it goes\n"
    )
    assert spec.to_proto()[:2] == b"\x08\x06"
