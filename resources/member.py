"""Member: a node of the cluster that this one knows, itself among them, as Talos publishes it."""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from typing import Final, Self

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

_IP_BYTES: Final = (4, 16)


class MachineType(IntEnum):
    """What a machine is to its cluster; how it is written in YAML is in `str`."""

    UNKNOWN = 0
    INIT = 1
    CONTROLPLANE = 2
    WORKER = 3

    def __str__(self) -> str:
        return self.name.lower()


class NetIP(Spec):
    """An IP address: four or sixteen bytes on the wire, its usual form in YAML, and empty where it is none."""

    ip: bytes = field(1, default=b"")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the address of a text. Raises ValueError."""
        return cls(ip=ipaddress.ip_address(text).packed)

    def __str__(self) -> str:
        return str(ipaddress.ip_address(self.ip)) if len(self.ip) in _IP_BYTES else ""


class MemberSpec(Spec):
    """A node by its name, with the addresses that it is known to have. `machine_type` is a number of MachineType."""

    node_id: str = field(1, default="")
    addresses: tuple[NetIP, ...] = field(2, default=())
    hostname: str = field(3, default="")
    machine_type: int = field(4, default=MachineType.UNKNOWN)
    operating_system: str = field(5, default="")

    def yaml_value(self) -> object:
        """Return what the YAML shows: addresses and the type of the machine as text."""
        shown = super().yaml_value()
        assert isinstance(shown, dict)
        readable = {"addresses": [str(each) for each in self.addresses], "machineType": _type_name(self.machine_type)}
        return {**shown, **readable}


class Member(Resource[MemberSpec]):
    """A node of the cluster."""

    definition = Definition(
        type="Members.cluster.talos.dev",
        default_namespace=names.CLUSTER,
        columns=(
            PrintColumn("Hostname", "{.hostname}"),
            PrintColumn("Machine Type", "{.machineType}"),
            PrintColumn("OS", "{.operatingSystem}"),
            PrintColumn("Addresses", "{.addresses}"),
        ),
    )


def _type_name(number: int) -> str:
    try:
        return str(MachineType(number))
    except ValueError:
        return f"Type({number})"  # as Go writes a constant without a name
