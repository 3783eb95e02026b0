"""machine.MachineService/Containers and Stats: a node that runs no containers has none to show.

Whom they would be asked of, and what is refused, is as on Talos (v1alpha1_server.go, getContainerInspector).
"""

from __future__ import annotations

import json
from typing import Final

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from machined.services.machine import NAME
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2

SYSTEM_NAMESPACE: Final = "system"
"""Where Talos's own containers and logs are, and a node's own."""

KUBERNETES_NAMESPACE: Final = "k8s.io"


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


def require_runtime(namespace: str, driver: int) -> None:
    """Refuse what Talos refuses before it looks for containers. Raises Refusal."""
    if not namespace:
        raise Refusal(Code.INVALID_ARGUMENT, "namespace can't be empty")
    if driver not in common_pb2.ContainerDriver.values():
        raise Refusal(Code.INVALID_ARGUMENT, f"unsupported driver {json.dumps(str(driver))}")
    if driver == common_pb2.ContainerDriver.CRI and namespace != KUBERNETES_NAMESPACE:
        raise Refusal(Code.UNKNOWN, "CRI inspector is supported only for K8s namespace")
