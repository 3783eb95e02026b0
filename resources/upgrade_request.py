"""UpgradeRequest: somebody asks for an upgrade, or for the image before. The answer is in the BootImage."""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "upgrade"


class UpgradeRequestSpec(Spec):
    """`request` is different each time, so that asking again is noticed; `rollback` asks for the image before.

    `stage` leaves active what is active: what was asked for boots when the node starts again.
    """

    request: str = field(1, default="")
    rollback: bool = field(2, default=False, omit_empty=True)
    stage: bool = field(3, default=False, omit_empty=True)


class UpgradeRequest(Resource[UpgradeRequestSpec]):
    """The last upgrade that was asked for."""

    definition = Definition(
        type=f"UpgradeRequests.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        columns=(PrintColumn("Request", "{.request}"),),
    )
