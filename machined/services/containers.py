"""machine.MachineService/Containers and Stats: a node that runs no containers has none to show."""

from __future__ import annotations

from cosi.rpc.codec import parse
from cosi.rpc.seam import Call, Frames, Service, frame
from machined.services.machine import NAME, require_runtime
from talos._pb.machine import machine_pb2


class ContainersService:
    """The methods on bytes."""

    def __init__(self) -> None:
        self.service = Service(NAME, unary={"Containers": self._containers, "Stats": self._stats})

    async def _containers(self, request: bytes, _: Call) -> Frames:
        """Answer with ContainersResponse."""
        wanted = parse(machine_pb2.ContainersRequest, request)
        require_runtime(wanted.namespace, wanted.driver)
        return frame(machine_pb2.ContainersResponse(messages=[machine_pb2.Container()]).SerializeToString())

    async def _stats(self, request: bytes, _: Call) -> Frames:
        """Answer with StatsResponse."""
        wanted = parse(machine_pb2.StatsRequest, request)
        require_runtime(wanted.namespace, wanted.driver)
        return frame(machine_pb2.StatsResponse(messages=[machine_pb2.Stats()]).SerializeToString())
