"""Version: the Talos version whose rules hold on the node, as Talos publishes it; the dashboard's header shows it."""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "version"


class VersionSpec(Spec):
    """What the node's system is called, and which version of it."""

    name: str = field(2, default="")
    version: str = field(1, default="")


class Version(Resource[VersionSpec]):
    """The version of the node."""

    definition = Definition(
        type="Versions.runtime.talos.dev",
        default_namespace=names.RUNTIME,
        columns=(PrintColumn("Name", "{.name}"), PrintColumn("Version", "{.version}")),
    )
