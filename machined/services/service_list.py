"""machine.MachineService/ServiceList: what Talos has as services, as far as a node here has it.

`machined` is the node, `apid` its network door, `controller-runtime` what works on its resources. A service that an
extension brings is `ext-NAME`, as on Talos; none is run, and each says why. Nothing here can be started or stopped.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from cosi.resource.controllers import ControllerDefinition
from cosi.rpc.seam import Call, Frames, Service, frame
from cosi.state.state import State
from machined.listed_services import APID, CONTROLLER_RUNTIME, MACHINED, service_id, why_not_run
from machined.services.machine import NAME
from resources import boot_status
from resources.boot_status import BootStatus
from resources.extension_service import ExtensionService, ServiceState
from talos._pb.machine import machine_pb2
from talos.log_ring import text_of

RUNNING: Final = "Running"
SKIPPED: Final = "Skipped"
FAILED: Final = "Failed"
"""The states are Talos's (internal/app/machined/pkg/system/events)."""

STARTED: Final = "Started"


class ServiceListService:
    """The method on bytes; what there is to say of the services is in the state. The node starts now."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._started_ns = time.time_ns()
        self.service = Service(NAME, unary={"ServiceList": self._service_list})

    async def _service_list(self, _: bytes, __: Call) -> Frames:
        """Answer with ServiceListResponse, by id."""
        boot = await self._state.find(BootStatus, boot_status.ID)
        boots = [(boot.spec.problem, boot.metadata.updated)] if boot is not None else []
        controllers = [
            (f"{each.id}: {each.spec.problem}" if each.spec.problem else "", each.metadata.updated)
            for each in await self._state.list(ControllerDefinition)
        ]
        services = [
            self._running(MACHINED, boots),
            self._running(APID, ()),
            self._running(CONTROLLER_RUNTIME, controllers),
            *map(_not_run, await self._state.list(ExtensionService)),
        ]
        services.sort(key=lambda service: service.id)
        message = machine_pb2.ServiceList(services=services)
        return frame(machine_pb2.ServiceListResponse(messages=[message]).SerializeToString())

    def _running(self, id: str, parts: Iterable[tuple[str, int]]) -> machine_pb2.ServiceInfo:
        """Return a service that runs, healthy if none of its parts has a problem; each since when it is as it is."""
        problems = [(problem, since) for problem, since in parts if problem]
        health = machine_pb2.ServiceHealth(
            healthy=not problems,
            last_message=text_of("; ".join(problem for problem, _ in problems), {}),
            last_change=_timestamp(max((since for _, since in problems), default=self._started_ns)),
        )
        return machine_pb2.ServiceInfo(
            id=id, state=RUNNING, events=_events(RUNNING, STARTED, self._started_ns), health=health
        )


def _not_run(service: ExtensionService) -> machine_pb2.ServiceInfo:
    since = service.metadata.updated
    state = SKIPPED if service.spec.state is ServiceState.VALID else FAILED
    return machine_pb2.ServiceInfo(
        id=service_id(service),
        state=state,
        events=_events(state, why_not_run(service), since),
        health=machine_pb2.ServiceHealth(unknown=True, last_change=_timestamp(since)),
    )


def _events(state: str, message: str, time_ns: int) -> machine_pb2.ServiceEvents:
    event = machine_pb2.ServiceEvent(msg=message, state=state, ts=_timestamp(time_ns))
    return machine_pb2.ServiceEvents(events=[event])


def _timestamp(time_ns: int) -> Timestamp:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanoseconds)
