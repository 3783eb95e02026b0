"""Who reads and writes what is told in Talos's words and order, of queues as well, whatever else is put down."""

import pytest

from cosi.controller.dependencies import InputMode, OutputSharing
from cosi.resource.controllers import ControllerDefinition, ControllerDefinitionSpec, ControllerInput, ControllerOutput
from cosi.rpc.seam import Call, messages
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from machined.services.inspect import InspectService
from talos._pb.inspect import inspect_pb2

pytestmark = pytest.mark.anyio


@pytest.fixture
def state() -> State:
    return State(MemoryState())


def reading(type: str, mode: str, namespace: str = "default", id: str = "") -> ControllerInput:
    return ControllerInput(namespace=namespace, type=type, id=id, mode=mode)


def writing(type: str, sharing: str) -> ControllerOutput:
    return ControllerOutput(type=type, sharing=sharing)


async def put_down(
    state: State, name: str, inputs: tuple[ControllerInput, ...] = (), outputs: tuple[ControllerOutput, ...] = ()
) -> None:
    await state.create(ControllerDefinition.new(name, ControllerDefinitionSpec(inputs=inputs, outputs=outputs)))


async def told(state: State) -> list[inspect_pb2.ControllerDependencyEdge]:
    frames = await InspectService(state).service.unary["ControllerRuntimeDependencies"](b"", Call())
    (answer,) = map(inspect_pb2.ControllerRuntimeDependenciesResponse.FromString, messages(frames))
    return [edge for message in answer.messages for edge in message.edges]


@pytest.mark.parametrize(
    ("mode", "edge"),
    [
        (InputMode.STRONG, inspect_pb2.INPUT_STRONG),
        (InputMode.WEAK, inspect_pb2.INPUT_WEAK),
        (InputMode.DESTROY_READY, inspect_pb2.INPUT_DESTROY_READY),
        (InputMode.PRIMARY, inspect_pb2.INPUT_STRONG),
        (InputMode.MAPPED, inspect_pb2.INPUT_STRONG),
        (InputMode.MAPPED_DESTROY_READY, inspect_pb2.INPUT_DESTROY_READY),
    ],
)
async def test_an_input_is_told_by_what_it_does(
    state: State, mode: InputMode, edge: inspect_pb2.DependencyEdgeType
) -> None:
    await put_down(state, "one", (reading("Ints", mode, "numbers", "seven"),))

    assert await told(state) == [
        inspect_pb2.ControllerDependencyEdge(
            controller_name="one",
            edge_type=edge,
            resource_namespace="numbers",
            resource_type="Ints",
            resource_id="seven",
        )
    ]


async def test_no_mode_and_no_sharing_is_left_out(state: State) -> None:
    inputs = tuple(reading(mode.name, mode) for mode in InputMode)
    outputs = tuple(writing(sharing.name, sharing) for sharing in OutputSharing)
    await put_down(state, "all", inputs, outputs)

    assert {edge.resource_type for edge in await told(state)} == {each.name for each in (*InputMode, *OutputSharing)}


async def test_exclusive_outputs_are_first_then_shared_ones_then_inputs_by_controller(state: State) -> None:
    shared, exclusive = OutputSharing.SHARED, OutputSharing.EXCLUSIVE
    await put_down(state, "z", (reading("B", InputMode.WEAK), reading("A", InputMode.STRONG)), (writing("Z", shared),))
    await put_down(state, "a", (reading("C", InputMode.WEAK),), (writing("Z", shared), writing("Y", exclusive)))

    edges = [(edge.controller_name, edge.resource_type) for edge in await told(state)]

    assert edges == [("a", "Y"), ("a", "Z"), ("z", "Z"), ("a", "C"), ("z", "A"), ("z", "B")]


async def test_words_that_nobody_knows_hide_nothing_else(state: State) -> None:
    await put_down(state, "odd", (reading("Ints", "telepathic"),), (writing("Ints", "stolen"),))
    await put_down(state, "sound", (reading("Ints", InputMode.WEAK),))

    assert [edge.controller_name for edge in await told(state)] == ["sound"]
