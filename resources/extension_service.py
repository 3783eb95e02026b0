"""ExtensionService: a service that an active extension brings, read and judged, but not run.

Talos has no such type: it turns each file into a service at once. Its ExtensionServiceConfigs are what the machine
config adds to such services, and its Services are what runs; this is neither, and its type says so.
"""

from __future__ import annotations

import enum

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names
from resources.extension_manifest import ExtensionFault


class ServiceState(enum.StrEnum):
    """Whether Talos would take the service."""

    VALID = "valid"
    INVALID = "invalid"


class ServiceDependency(Spec):
    """One thing that the service waits for."""

    service: str = field(1, default="", omit_empty=True)
    path: str = field(2, default="", omit_empty=True)
    network: tuple[str, ...] = field(3, default=(), omit_empty=True)
    time: bool = field(4, default=False, omit_empty=True)
    configuration: bool = field(5, default=False, omit_empty=True)


class ExtensionServiceSpec(Spec):
    """What the file says, as far as it can be read; `problem` sums up why it may not run, `status` what came of it."""

    file: str = field(1, default="")
    name: str = field(2, default="")
    entrypoint: str = field(3, default="")
    args: tuple[str, ...] = field(4, default=())
    depends: tuple[ServiceDependency, ...] = field(5, default=())
    restart: str = field(6, default="")
    state: ServiceState = field(7, default=ServiceState.INVALID)
    problem: str = field(8, default="", omit_empty=True)
    status: str = field(9, default="")
    faults: tuple[ExtensionFault, ...] = field(10, default=(), omit_empty=True)


class ExtensionService(Resource[ExtensionServiceSpec]):
    """A service file of the active tree; the id is the file's name, which is unique where a service's may not be."""

    # Without automatic aliases: `es` must stay short for ExtensionStatuses.
    definition = Definition(
        type=f"ExtensionServices.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        aliases=("extensionservice", "extensionservices"),
        automatic_aliases=False,
        columns=(
            PrintColumn("Name", "{.name}"),
            PrintColumn("State", "{.state}"),
            PrintColumn("Status", "{.status}"),
            PrintColumn("Problem", "{.problem}"),
        ),
    )
