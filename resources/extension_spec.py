"""ExtensionSpec: an extension the machine config asks for."""

from __future__ import annotations

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names


class ExtensionSpecSpec(Spec):
    """The image's reference and its place in the config's list, counted from 0."""

    index: int = field(1, default=0)
    image: str = field(2, default="")


class ExtensionSpec(Resource[ExtensionSpecSpec]):
    """A desired extension; the id is what the ExtensionStatus will have once it is active."""

    # Without automatic aliases: `es` must stay short for ExtensionStatuses.
    definition = Definition(
        type=f"ExtensionSpecs.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        aliases=("extensionspec", "extensionspecs"),
        automatic_aliases=False,
        columns=(PrintColumn("Image", "{.image}"),),
    )
