"""inspect.InspectService: who reads and writes what, of all controllers that work on the node's state.

Messages are Talos's, and so is the order: outputs before inputs, each sorted. Queues have inputs of their own kinds,
which its messages don't know: they are told as what they do, hold finalizers or not. What another program put down in
words that nobody knows is left out, and hides nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from cosi.controller.dependencies import InputMode, OutputSharing
from cosi.resource.controllers import ControllerDefinition
from cosi.rpc.seam import Call, Frames, Service, frame
from cosi.state.state import State
from talos._pb.inspect import inspect_pb2
from talos._pb.inspect.inspect_pb2 import ControllerDependencyEdge as Edge

NAME: Final = inspect_pb2.DESCRIPTOR.services_by_name["InspectService"].full_name

_OUTPUTS: Final[Mapping[str, inspect_pb2.DependencyEdgeType]] = {
    OutputSharing.EXCLUSIVE: inspect_pb2.OUTPUT_EXCLUSIVE,
    OutputSharing.SHARED: inspect_pb2.OUTPUT_SHARED,
}
_INPUTS: Final[Mapping[str, inspect_pb2.DependencyEdgeType]] = {
    InputMode.STRONG: inspect_pb2.INPUT_STRONG,
    InputMode.PRIMARY: inspect_pb2.INPUT_STRONG,
    InputMode.MAPPED: inspect_pb2.INPUT_STRONG,
    InputMode.WEAK: inspect_pb2.INPUT_WEAK,
    InputMode.DESTROY_READY: inspect_pb2.INPUT_DESTROY_READY,
    InputMode.MAPPED_DESTROY_READY: inspect_pb2.INPUT_DESTROY_READY,
}


class InspectService:
    """The methods on bytes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.service = Service(NAME, unary={"ControllerRuntimeDependencies": self._dependencies})

    async def _dependencies(self, _: bytes, __: Call) -> Frames:
        """Answer with ControllerRuntimeDependenciesResponse."""
        definitions = await self._state.list(ControllerDefinition)
        outputs = [edge for each in definitions for edge in _outputs(each)]
        inputs = [edge for each in definitions for edge in _inputs(each)]
        outputs.sort(key=lambda edge: (edge.edge_type, edge.controller_name, edge.resource_type))
        inputs.sort(
            key=lambda edge: (edge.controller_name, edge.resource_namespace, edge.resource_type, edge.resource_id)
        )
        message = inspect_pb2.ControllerRuntimeDependency(edges=[*outputs, *inputs])
        return frame(inspect_pb2.ControllerRuntimeDependenciesResponse(messages=[message]).SerializeToString())


def _outputs(controller: ControllerDefinition) -> Iterator[Edge]:
    for output in controller.spec.outputs:
        if output.sharing in _OUTPUTS:
            yield Edge(controller_name=controller.id, edge_type=_OUTPUTS[output.sharing], resource_type=output.type)


def _inputs(controller: ControllerDefinition) -> Iterator[Edge]:
    for wanted in controller.spec.inputs:
        if wanted.mode in _INPUTS:
            yield Edge(
                controller_name=controller.id,
                edge_type=_INPUTS[wanted.mode],
                resource_namespace=wanted.namespace,
                resource_type=wanted.type,
                resource_id=wanted.id,
            )
