"""Publishes the stage that the node is in, and whether it is ready, from what it is going through and what is active.

Stages are Talos's. What they need to be ready is not: this node runs neither Kubernetes nor a clock, only extensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_status, config_status, machine_config, machine_status, sequence_status
from resources.boot_status import BootStatus
from resources.config_status import ConfigStatus
from resources.machine_config import MachineConfig
from resources.machine_status import MachineStage, MachineStatus, MachineStatusSpec, Readiness, UnmetCondition
from resources.sequence_status import SequenceName, SequenceStatus

EXTENSIONS: Final = "extensions"
"""The condition that the node's boot image is active."""

NOT_ACTIVE: Final = "the boot image is not active yet"

LAST_PHASE: Final = "reboot"
"""In it an upgrade is over, and the node is about to restart."""

_STAGES: Final[Mapping[SequenceName, MachineStage]] = {
    SequenceName.REBOOT: MachineStage.REBOOTING,
    SequenceName.SHUTDOWN: MachineStage.SHUTTING_DOWN,
    SequenceName.UPGRADE: MachineStage.UPGRADING,
    SequenceName.STAGE_UPGRADE: MachineStage.UPGRADING,
}


class MachineStatusController(Controller):
    """Keeps the one MachineStatus."""

    name = "runtime.MachineStatusController"
    inputs = (
        weak(SequenceStatus, id=sequence_status.ID),
        weak(BootStatus, id=boot_status.ID),
        weak(ConfigStatus, id=config_status.ID),
        weak(MachineConfig, id=machine_config.ID),
    )
    outputs = (exclusive(MachineStatus),)

    async def run(self, runtime: Runtime) -> None:
        """Publish after each change."""
        async for _ in runtime.reconcile():
            stage = stage_of(
                await runtime.find(SequenceStatus, sequence_status.ID),
                configured=await runtime.find(MachineConfig, machine_config.ID) is not None,
                refused=await runtime.find(ConfigStatus, config_status.ID) is not None,
            )
            status = readiness(stage, await runtime.find(BootStatus, boot_status.ID))
            spec = MachineStatusSpec(stage=stage, status=status)
            await runtime.modify(MachineStatus.new(machine_status.ID, spec))


def stage_of(sequence: SequenceStatus | None, *, configured: bool, refused: bool) -> MachineStage:
    """Return the stage. `refused` says that a config was looked for; without one in force, that is maintenance."""
    if sequence is None or sequence.spec.sequence is SequenceName.BOOT:
        return MachineStage.MAINTENANCE if refused and not configured else MachineStage.BOOTING
    stage = _STAGES.get(sequence.spec.sequence, MachineStage.RUNNING)
    if stage is MachineStage.UPGRADING and sequence.spec.phase == LAST_PHASE:
        return MachineStage.REBOOTING
    return stage


def readiness(stage: MachineStage, boot: BootStatus | None) -> Readiness:
    """Return whether the node is ready; as on Talos, only a node that boots or runs can lack something."""
    if stage not in (MachineStage.BOOTING, MachineStage.RUNNING):
        return Readiness(ready=True)
    if boot is not None and boot.spec.image and not boot.spec.problem:
        return Readiness(ready=True)
    reason = NOT_ACTIVE if boot is None else boot.spec.problem or NOT_ACTIVE
    return Readiness(unmet_conditions=(UnmetCondition(name=EXTENSIONS, reason=reason),))
