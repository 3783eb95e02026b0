"""machine.MachineService/DiskUsage: how much room the files of the booted tree take, for `talosctl usage`.

Messages are Talos's, and so is what is left out; a path that leads nowhere is told as such, and the paths after it are
looked at as well, which Talos forgets.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Final

from anyio import to_thread

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state.state import State
from machined.booted_root import booted_root, whole
from machined.services.machine import NAME
from machined.walks import Walks
from talos._pb.machine import machine_pb2
from talos.disk_usage import Usage, Wanted, disk_usage_of

USAGES_AT_ONCE: Final = 100
"""How many files and directories are looked at in one go of a thread."""

MAX_PATHS: Final = 1000
"""How many paths a call may bring; each is a walk through the tree."""


class DiskUsageService:
    """The method on bytes."""

    def __init__(self, state: State, walks: Walks) -> None:
        self._state = state
        self._walks = walks
        self.service = Service(NAME, server_streaming={"DiskUsage": self._disk_usage})

    async def _disk_usage(self, request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        """Stream DiskUsageInfo, a directory's after those of what is in it."""
        asked = parse(machine_pb2.DiskUsageRequest, request)
        if len(asked.paths) > MAX_PATHS:
            raise Refusal(
                Code.INVALID_ARGUMENT, f"{len(asked.paths)} paths, at most {MAX_PATHS} are looked at in a call"
            )
        wanted = Wanted(asked.recursion_depth, asked.all, asked.threshold)
        root = await booted_root(self._state)
        for path in asked.paths:
            with self._walks.one(call), closing(disk_usage_of(root, whole(path))) as usages:
                while some := await to_thread.run_sync(_some, usages):
                    if answers := b"".join(_framed(usage) for usage in some if usage in wanted):
                        yield answers


def _some(usages: Iterator[Usage]) -> Sequence[Usage]:
    return tuple(islice(usages, USAGES_AT_ONCE))


def _framed(usage: Usage) -> Frames:
    return frame(
        machine_pb2.DiskUsageInfo(
            name=usage.path, relative_name=usage.relative, size=usage.size, error=usage.error
        ).SerializeToString()
    )
