"""ExtensionImage: the image of a desired extension on its way into the local store."""

from __future__ import annotations

import enum
from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

PASSING_ATTEMPTS: Final = 5
"""How often a fetch may fail for a reason that may go away before nobody waits for it: some four seconds."""


class FetchState(enum.StrEnum):
    """How far the fetch has come."""

    FETCHING = "fetching"
    READY = "ready"
    FAILED = "failed"
    """The last attempt failed; it is tried again."""


class ExtensionImageSpec(Spec):
    """The fetch of one image.

    `digest` is what the reference named (an index or a manifest), `manifest` the manifest for this platform; sizes are
    bytes. `attempts` counts failures in a row; `problem` and `remedy` are those of the last one, and `passing` says
    that it may go away by itself, and soon. `request` is the last upgrade for which the reference was looked up again.
    """

    image: str = field(1, default="")
    state: FetchState = field(2, default=FetchState.FETCHING)
    digest: str = field(3, default="")
    manifest: str = field(4, default="")
    platform: str = field(5, default="")
    size: int = field(6, default=0)
    fetched: int = field(7, default=0)
    problem: str = field(8, default="", omit_empty=True)
    remedy: str = field(9, default="", omit_empty=True)
    attempts: int = field(10, default=0, omit_empty=True)
    passing: bool = field(11, default=False, omit_empty=True)
    request: str = field(12, default="", omit_empty=True)

    @property
    def failed(self) -> bool:
        """Whether nobody needs to wait for it any more; it is tried again all the same."""
        return self.attempts > 0 and (not self.passing or self.attempts >= PASSING_ATTEMPTS)

    @property
    def why(self) -> str:
        """What went wrong in the last attempt, and what to do."""
        return f"{self.problem} ({self.remedy})" if self.remedy else self.problem


class ExtensionImage(Resource[ExtensionImageSpec]):
    """The image of a desired extension; the id is the extension's."""

    definition = Definition(
        type=f"ExtensionImages.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        columns=(
            PrintColumn("State", "{.state}"),
            PrintColumn("Fetched", "{.fetched}"),
            PrintColumn("Size", "{.size}"),
            PrintColumn("Problem", "{.problem}"),
        ),
    )
