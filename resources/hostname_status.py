"""HostnameStatus: what the node is called, as Talos publishes it; the dashboard's header shows it."""

from __future__ import annotations

from typing import Final, Self

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "hostname"


class HostnameStatusSpec(Spec):
    """The first label of the node's name, and the labels after it."""

    hostname: str = field(1, default="")
    domainname: str = field(2, default="")

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return a name in its two parts; it is not looked up."""
        hostname, _, domainname = name.partition(".")
        return cls(hostname=hostname, domainname=domainname)


class HostnameStatus(Resource[HostnameStatusSpec]):
    """The name of the node."""

    definition = Definition(
        type="HostnameStatuses.net.talos.dev",
        default_namespace=names.NETWORK,
        aliases=("hostname",),
        columns=(PrintColumn("Hostname", "{.hostname}"), PrintColumn("Domainname", "{.domainname}")),
    )
