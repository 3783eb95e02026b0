"""ExtensionPlan: desired, staged or active, and why they differ: one line for each extension, wanted or still there."""

from __future__ import annotations

import enum

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names


class PlanState(enum.StrEnum):
    """Where an extension stands."""

    ACTIVE = "active"
    """The node runs what is wanted."""
    STAGED = "staged"
    """It is ready and becomes active with the next upgrade, or is installed and does so at the next boot."""
    REMOVED = "removed"
    """The config no longer wants it; it stays active until the next upgrade, or boot."""
    PENDING = "pending"
    """It is being fetched or validated."""
    FAILED = "failed"
    """It can't become active as it is; the message says why."""


class ExtensionPlanSpec(Spec):
    """`wanted` and `running` are manifest digests, empty where there is none."""

    image: str = field(1, default="")
    state: PlanState = field(2, default=PlanState.PENDING)
    wanted: str = field(3, default="")
    running: str = field(4, default="")
    message: str = field(5, default="", omit_empty=True)


class ExtensionPlan(Resource[ExtensionPlanSpec]):
    """What the next upgrade would do with an extension; the id is the extension's."""

    definition = Definition(
        type=f"ExtensionPlans.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        aliases=("plan",),
        columns=(PrintColumn("State", "{.state}"), PrintColumn("Message", "{.message}")),
    )
