"""Tells in events what changes in the state: the machine's status, and a machine config that is refused.

The first is what talosctl waits for. Faithful to Talos's MachineStatusPublisherController, and to its config loading.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio

from cosi.resource.resource import ResourceT
from cosi.state.state import State
from machined.events import Events
from resources import config_status, machine_status
from resources.config_status import ConfigStatus, ConfigStatusSpec
from resources.machine_status import MachineStatus, MachineStatusSpec
from talos._pb.machine.machine_pb2 import ConfigLoadErrorEvent, ConfigValidationErrorEvent, MachineStatusEvent


async def publish_changes(state: State, events: Events) -> None:
    """Publish until cancelled."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_publish_status, state, events)
        tasks.start_soon(_publish_config_errors, state, events)


async def _publish_status(state: State, events: Events) -> None:
    async for resource in _versions(state, MachineStatus, machine_status.ID):
        events.publish(status_event(resource.spec))


async def _publish_config_errors(state: State, events: Events) -> None:
    said = ""
    async for resource in _versions(state, ConfigStatus, config_status.ID):
        problem = problem_of(resource.spec)
        if problem and problem != said:
            unreadable = all(not fault.path for fault in resource.spec.faults)
            error = ConfigLoadErrorEvent if unreadable else ConfigValidationErrorEvent
            events.publish(error(error=problem))
        said = problem


async def _versions(state: State, resource_class: type[ResourceT], id: str) -> AsyncGenerator[ResourceT, None]:
    """Yield a resource as it is and each time it changes; who is too slow for all of them misses some."""
    while True:
        async with state.watch(resource_class.pointer_to(id)) as watch:
            async for event in watch:
                if isinstance(event.resource, resource_class):
                    yield event.resource


def status_event(spec: MachineStatusSpec) -> MachineStatusEvent:
    """Return a status as an event tells it."""
    return MachineStatusEvent(
        stage=spec.stage.name,
        status=MachineStatusEvent.MachineStatus(
            ready=spec.status.ready,
            unmet_conditions=[
                MachineStatusEvent.MachineStatus.UnmetCondition(name=each.name, reason=each.reason)
                for each in spec.status.unmet_conditions
            ],
        ),
    )


def problem_of(spec: ConfigStatusSpec) -> str:
    """Return all that is wrong with the config, empty if nothing is."""
    return "; ".join(f"{fault.path}: {fault.problem}" if fault.path else fault.problem for fault in spec.faults)
