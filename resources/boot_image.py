"""BootImage: the boot image the node is to run, the one it boots next, and what came of the last upgrade."""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "current"


class BootImageSpec(Spec):
    """The installed image's name, and what became of the last upgrade that was asked for.

    `request` is the one that was dealt with, `upgraded` whether it was granted, `outcome` the answer in words.
    `fallback` says which image was given up, and why; `warnings` which files of extensions hide those of others.
    `next` is the image that boots when the node starts again, empty where that is the one that it is to run now.
    """

    name: str = field(1, default="")
    request: str = field(2, default="", omit_empty=True)
    upgraded: bool = field(3, default=False, omit_empty=True)
    outcome: str = field(4, default="", omit_empty=True)
    fallback: str = field(5, default="", omit_empty=True)
    warnings: tuple[str, ...] = field(6, default=(), omit_empty=True)
    next: str = field(7, default="", omit_empty=True)


class BootImage(Resource[BootImageSpec]):
    """The boot image that is installed."""

    definition = Definition(
        type=f"BootImages.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        columns=(
            PrintColumn("Name", "{.name}"),
            PrintColumn("Next", "{.next}"),
            PrintColumn("Outcome", "{.outcome}"),
            PrintColumn("Fallback", "{.fallback}"),
        ),
    )
