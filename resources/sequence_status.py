"""SequenceStatus: what the node as a whole is going through: it boots, installs an upgrade, is about to restart."""

from __future__ import annotations

import enum
from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "current"


class SequenceName(enum.StrEnum):
    """The sequences, by Talos's names."""

    NONE = ""
    BOOT = "boot"
    REBOOT = "reboot"
    SHUTDOWN = "shutdown"
    UPGRADE = "upgrade"
    STAGE_UPGRADE = "stageUpgrade"


class SequenceStatusSpec(Spec):
    """The sequence that runs, empty if none does; its phase; and the actor that its events carry, if somebody asked.

    `problem` says why the last one failed; it stands until another one begins.
    """

    sequence: SequenceName = field(1, default=SequenceName.NONE)
    phase: str = field(2, default="", omit_empty=True)
    actor: str = field(3, default="", omit_empty=True)
    problem: str = field(4, default="", omit_empty=True)


class SequenceStatus(Resource[SequenceStatusSpec]):
    """The sequence that the node is in."""

    definition = Definition(
        type=f"SequenceStatuses.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        aliases=("sequence",),
        columns=(
            PrintColumn("Sequence", "{.sequence}"),
            PrintColumn("Phase", "{.phase}"),
            PrintColumn("Problem", "{.problem}"),
        ),
    )
