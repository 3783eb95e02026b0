"""Publishes the services that active extensions bring: one ExtensionService for each service file. None is run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_status
from resources.boot_status import BootStatus
from resources.extension_manifest import ExtensionFault
from resources.extension_service import ExtensionService, ExtensionServiceSpec, ServiceDependency, ServiceState
from talos.extensions.faults import summary
from talos.extensions.service_files import ServiceFile, read_services
from talos.extensions.services import Dependency

NOT_RUN: Final = "not running: this node runs no containers"
"""What becomes of every service here, and why; a node that runs containers would be another one."""

DIRECTORY_ID: Final = "containers"
"""The id of what is wrong with the services' directory. No file's name is this one: all end in `.yaml`."""


class ExtensionServiceController(Controller):
    """Reads the active tree's service files."""

    name = "runtime.ExtensionServiceController"
    inputs = (weak(BootStatus, id=boot_status.ID),)
    outputs = (exclusive(ExtensionService),)

    async def run(self, runtime: Runtime) -> None:
        """Publish what the active extensions would run, after each boot."""
        async for _ in runtime.reconcile():
            status = await runtime.find(BootStatus, boot_status.ID)
            if status is None or not status.spec.image:
                continue
            files = await to_thread.run_sync(read_services, Path(status.spec.root))
            async with runtime.tracked_outputs(ExtensionService):
                for file in files:
                    await runtime.modify(ExtensionService.new(file.name or DIRECTORY_ID, _published(file)))
            if files:
                refused = sum(bool(file.faults) for file in files)
                runtime.log.info("services found, none is run", services=len(files), refused=refused)


def _published(file: ServiceFile) -> ExtensionServiceSpec:
    found = ExtensionServiceSpec(
        file=file.path,
        state=ServiceState.INVALID if file.faults else ServiceState.VALID,
        problem=summary(file.faults),
        status=NOT_RUN,
        faults=tuple(
            ExtensionFault(rule=fault.rule, path=fault.path, problem=fault.problem, remedy=fault.remedy)
            for fault in file.faults
        ),
    )
    service = file.service
    if service is None:
        return found
    return found.model_copy(
        update={
            "name": service.name,
            "entrypoint": service.container.entrypoint,
            "args": service.container.args,
            "depends": tuple(_dependency(dependency) for dependency in service.depends),
            "restart": service.restart.value,
        }
    )


def _dependency(dependency: Dependency) -> ServiceDependency:
    return ServiceDependency(
        service=dependency.service,
        path=dependency.path,
        network=dependency.network,
        time=dependency.time,
        configuration=dependency.configuration,
    )
