"""MachineStatus: the stage that the node is in, and whether it is ready, exactly as Talos publishes it."""

from __future__ import annotations

import enum
from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "machine"


class MachineStage(enum.IntEnum):
    """The stages, with Talos's numbers; YAML shows their names."""

    UNKNOWN = 0
    BOOTING = 1
    INSTALLING = 2
    MAINTENANCE = 3
    RUNNING = 4
    REBOOTING = 5
    SHUTTING_DOWN = 6
    RESETTING = 7
    UPGRADING = 8

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class UnmetCondition(Spec):
    """One thing that the node lacks to be ready."""

    name: str = field(1, default="")
    reason: str = field(2, default="")


class Readiness(Spec):
    """Whether the node is ready, and what it lacks."""

    ready: bool = field(1, default=False)
    unmet_conditions: tuple[UnmetCondition, ...] = field(2, default=())


class MachineStatusSpec(Spec):
    """The node's stage and readiness."""

    stage: MachineStage = field(1, default=MachineStage.UNKNOWN)
    status: Readiness = field(2, default=Readiness())


class MachineStatus(Resource[MachineStatusSpec]):
    """How the node is."""

    definition = Definition(
        type="MachineStatuses.runtime.talos.dev",
        default_namespace=names.RUNTIME,
        columns=(PrintColumn("Stage", "{.stage}"), PrintColumn("Ready", "{.status.ready}")),
    )
