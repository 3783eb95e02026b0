"""What parts of machine.MachineService share: its name, how bytes stream, where containers and logs are sought."""

from __future__ import annotations

from typing import Final

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Frames, Refusal, frame
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2
from talos.go_quoted import go_quoted

NAME: Final = machine_pb2.DESCRIPTOR.services_by_name["MachineService"].full_name

SYSTEM_NAMESPACE: Final = "system"
"""Where Talos's own containers and logs are, and a node's own."""

KUBERNETES_NAMESPACE: Final = "k8s.io"


def data(piece: bytes) -> Frames:
    """Return a common.Data, in which files and logs are streamed."""
    return frame(common_pb2.Data(bytes=piece).SerializeToString())


def require_runtime(namespace: str, driver: int) -> None:
    """Refuse what Talos refuses before it looks for containers (getContainerInspector). Raises Refusal."""
    if not namespace:
        raise Refusal(Code.INVALID_ARGUMENT, "namespace can't be empty")
    if driver not in common_pb2.ContainerDriver.values():
        raise Refusal(Code.INVALID_ARGUMENT, f"unsupported driver {go_quoted(str(driver))}")
    if driver == common_pb2.ContainerDriver.CRI and namespace != KUBERNETES_NAMESPACE:
        raise Refusal(Code.UNKNOWN, "CRI inspector is supported only for K8s namespace")
