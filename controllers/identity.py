"""Publishes what the node is: its name and its version, neither of which changes while it runs."""

from __future__ import annotations

from typing import Final

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive
from cosi.controller.runtime import Runtime
from resources import hostname_status, version
from resources.hostname_status import HostnameStatus, HostnameStatusSpec
from resources.version import Version, VersionSpec

SYSTEM: Final = "Talos"
"""What Talos calls itself where it gives its version."""


class IdentityController(Controller):
    """Publishes one HostnameStatus and one Version."""

    name = "runtime.IdentityController"
    inputs = ()
    outputs = (exclusive(HostnameStatus), exclusive(Version))

    def __init__(self, *, hostname: str, talos_version: str) -> None:
        self._hostname = HostnameStatusSpec.parse(hostname)
        self._version = VersionSpec(name=SYSTEM, version=talos_version)

    async def run(self, runtime: Runtime) -> None:
        """Publish them once."""
        async for _ in runtime.reconcile():
            await runtime.modify(HostnameStatus.new(hostname_status.ID, self._hostname))
            await runtime.modify(Version.new(version.ID, self._version))
