"""BootStatus: what the node has booted."""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "boot"


class BootStatusSpec(Spec):
    """The active boot image, where its tree lies, and in which way it was activated.

    `problem` says why the image `failed` could not be booted; `image` is then still the one that was active before.
    `fallback` says of which image it took the place, and why. `next` says which other image activates at the next boot.
    """

    image: str = field(1, default="")
    root: str = field(2, default="")
    activation: str = field(3, default="")
    problem: str = field(4, default="", omit_empty=True)
    failed: str = field(5, default="", omit_empty=True)
    fallback: str = field(6, default="", omit_empty=True)
    next: str = field(7, default="", omit_empty=True)


class BootStatus(Resource[BootStatusSpec]):
    """The boot image that is active."""

    definition = Definition(
        type=f"BootStatuses.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        aliases=("boot",),
        columns=(
            PrintColumn("Image", "{.image}"),
            PrintColumn("Activation", "{.activation}"),
            PrintColumn("Root", "{.root}"),
            PrintColumn("Problem", "{.problem}"),
            PrintColumn("Fallback", "{.fallback}"),
            PrintColumn("Next", "{.next}"),
        ),
    )
