"""ExtensionStatus: an extension that is active, exactly as Talos publishes it."""

from __future__ import annotations

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names
from resources.extension_metadata import ExtensionMetadata


class ExtensionStatusSpec(Spec):
    """One entry of the boot image's extensions.yaml: the layer's file name, and the extension's metadata."""

    image: str = field(1, default="")
    metadata: ExtensionMetadata = field(2, default=ExtensionMetadata())


class ExtensionStatus(Resource[ExtensionStatusSpec]):
    """An active extension. The id is the layer's file name without `.sqsh`."""

    definition = Definition(
        type="ExtensionStatuses.runtime.talos.dev",
        default_namespace=names.RUNTIME,
        aliases=("extensions",),
        columns=(PrintColumn("Name", "{.metadata.name}"), PrintColumn("Version", "{.metadata.version}")),
    )
