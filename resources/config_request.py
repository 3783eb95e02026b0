"""ConfigRequest: somebody asks for another machine config. The answer is in the ConfigStatus."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "machine"


class ConfigUse(StrEnum):
    """What is to become of the config: in force for good, from the next start on, or for a time."""

    NOTHING = ""
    APPLY = "apply"
    STAGE = "stage"
    TRY = "try"


class ConfigRequestSpec(Spec):
    """`request` is different each time, so that asking again is noticed; a trial lasts `seconds`.

    `first` asks only on behalf of who may give a node its first config, and no other.
    """

    request: str = field(1, default="")
    use: ConfigUse = field(2, default=ConfigUse.NOTHING)
    seconds: float = field(3, default=0.0)
    config: bytes = field(4, default=b"")
    first: bool = field(5, default=False, omit_empty=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show nothing of the config in logs: it holds passwords."""
        return (("request", self.request), ("use", self.use), ("seconds", self.seconds))


class ConfigRequest(Resource[ConfigRequestSpec]):
    """The last config that was asked for."""

    definition = Definition(
        type=f"ConfigRequests.{names.DOMAIN}",
        default_namespace=names.CONFIG,
        columns=(PrintColumn("Request", "{.request}"), PrintColumn("Use", "{.use}")),
        sensitive=True,
    )
