"""The methods of machine.MachineService that say what the node is; their messages are Talos's (machine.proto)."""

from __future__ import annotations

import platform
from typing import Final

from cosi.rpc.seam import Call, Frames, Service, frame
from machined.services.machine import NAME
from talos._pb.machine import machine_pb2
from talos.extensions.oci import Platform

PLATFORM: Final = "metal"
"""talosctl has its own ways with nodes in clouds and containers; this one is like a machine."""


class IdentityService:
    """The methods on bytes."""

    def __init__(self, *, hostname: str, talos_version: str, runs_on: Platform) -> None:
        self._name = hostname
        self._talos_version = talos_version
        self._runs_on = runs_on
        self.service = Service(NAME, unary={"Hostname": self._hostname, "Version": self._version})

    async def _hostname(self, _: bytes, __: Call) -> Frames:
        """Answer with HostnameResponse."""
        message = machine_pb2.Hostname(hostname=self._name)
        return frame(machine_pb2.HostnameResponse(messages=[message]).SerializeToString())

    async def _version(self, _: bytes, __: Call) -> Frames:
        """Answer with VersionResponse: the Talos version whose rules hold here."""
        message = machine_pb2.Version(
            version=machine_pb2.VersionInfo(
                tag=self._talos_version,
                go_version=f"python{platform.python_version()}",
                os=self._runs_on.os,
                arch=self._runs_on.architecture,
            ),
            platform=machine_pb2.PlatformInfo(name=PLATFORM, mode=PLATFORM),
            features=machine_pb2.FeaturesInfo(rbac=True),
        )
        return frame(machine_pb2.VersionResponse(messages=[message]).SerializeToString())
