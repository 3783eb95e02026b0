"""What is wrong with the node or its controllers shows in the health of its services."""

from collections.abc import Mapping

import pytest

from cosi.resource.controllers import ControllerDefinition, ControllerDefinitionSpec
from cosi.rpc.seam import Call, messages
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from machined.services.service_list import ServiceListService
from resources import boot_status
from resources.boot_status import BootStatus, BootStatusSpec
from resources.extension_service import ExtensionService, ExtensionServiceSpec, ServiceState
from talos._pb.machine import machine_pb2

pytestmark = pytest.mark.anyio


@pytest.fixture
def state() -> State:
    return State(MemoryState())


async def listed(state: State) -> Mapping[str, machine_pb2.ServiceInfo]:
    frames = await ServiceListService(state).service.unary["ServiceList"](b"", Call())
    (answer,) = map(machine_pb2.ServiceListResponse.FromString, messages(frames))
    return {service.id: service for message in answer.messages for service in message.services}


async def test_a_node_that_says_nothing_bad_is_healthy(state: State) -> None:
    await state.create(BootStatus.new(boot_status.ID, BootStatusSpec(image="0001")))
    await state.create(ControllerDefinition.new("example.Shout", ControllerDefinitionSpec()))

    services = await listed(state)

    assert list(services) == ["apid", "controller-runtime", "machined"]
    assert all(service.health.healthy and not service.health.last_message for service in services.values())
    assert all(service.health.last_change.seconds > 0 for service in services.values())


async def test_an_image_that_could_not_be_booted_makes_the_node_unhealthy(state: State) -> None:
    await state.create(BootStatus.new(boot_status.ID, BootStatusSpec(problem="0002 is damaged")))

    services = await listed(state)

    assert not services["machined"].health.healthy
    assert services["machined"].health.last_message == "0002 is damaged"
    assert services["controller-runtime"].health.healthy


async def test_all_controllers_with_a_problem_are_named(state: State) -> None:
    for id, problem in [("example.Gone", "no such module"), ("example.Fine", ""), ("example.Odd", "it has no name")]:
        await state.create(ControllerDefinition.new(id, ControllerDefinitionSpec(problem=problem)))

    health = (await listed(state))["controller-runtime"].health

    assert not health.healthy
    assert health.last_message == "example.Gone: no such module; example.Odd: it has no name"


async def test_what_an_extension_says_moves_no_cursor(state: State) -> None:
    spec = ExtensionServiceSpec(name="odd", state=ServiceState.INVALID, problem="no entrypoint in \x1b[2J\nodd.yaml")
    await state.create(ExtensionService.new("odd.yaml", spec))

    (event,) = (await listed(state))["ext-odd"].events.events

    assert event.msg == r"no entrypoint in \x1b[2J\nodd.yaml"
