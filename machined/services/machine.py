"""What the parts of machine.MachineService have in common: its name, and the pieces in which bytes are streamed."""

from __future__ import annotations

from typing import Final

from cosi.rpc.seam import Frames, frame
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2

NAME: Final = machine_pb2.DESCRIPTOR.services_by_name["MachineService"].full_name


def data(piece: bytes) -> Frames:
    """Return a common.Data, in which files and logs are streamed."""
    return frame(common_pb2.Data(bytes=piece).SerializeToString())
