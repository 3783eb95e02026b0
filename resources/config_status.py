"""ConfigStatus: whether the machine config file is in force, and if not, why not; and the answer to a ConfigRequest."""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "machine"


class ConfigFault(Spec):
    """One thing that is wrong with the file."""

    line: int = field(1, default=0)
    path: str = field(2, default="")
    problem: str = field(3, default="")
    remedy: str = field(4, default="")


class ConfigStatusSpec(Spec):
    """`valid` is about the file as it is now; `in_force` says which config the node follows.

    `staged` says that another one waits for the next start. `request` is the last ConfigRequest that was answered, and
    `refused` why it changed nothing.
    """

    source: str = field(1, default="")
    valid: bool = field(2, default=False)
    in_force: str = field(3, default="")
    problem: str = field(4, default="", omit_empty=True)
    faults: tuple[ConfigFault, ...] = field(5, default=())
    staged: bool = field(6, default=False)
    request: str = field(7, default="", omit_empty=True)
    refused: str = field(8, default="", omit_empty=True)


class ConfigStatus(Resource[ConfigStatusSpec]):
    """The state of the machine config file."""

    definition = Definition(
        type=f"ConfigStatuses.{names.DOMAIN}",
        default_namespace=names.CONFIG,
        columns=(
            PrintColumn("Valid", "{.valid}"),
            PrintColumn("In force", "{.inForce}"),
            PrintColumn("Staged", "{.staged}"),
            PrintColumn("Problem", "{.problem}"),
        ),
    )
