"""machine.MachineService/Logs, LogsContainers and Dmesg: what the node says, as talosctl prints it.

A node here has no kernel of its own. What Talos writes to the kernel's log, where `dmesg` and the dashboard find it, is
its own log; and so it is here. `machined` and `controller-runtime` are two views of the same lines. An extension's
service has a log because Talos's would have one: it says why the service does not run.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state.state import State
from machined.listed_services import CONTROLLER_RUNTIME, MACHINED, service_id, why_not_run
from machined.node_log import NodeLog
from machined.services.machine import NAME, SYSTEM_NAMESPACE, data, require_runtime
from resources.extension_service import ExtensionService
from talos._pb.machine import machine_pb2
from talos.go_quoted import go_quoted
from talos.log_ring import Line, Reading, as_controller_runtime, as_dmesg, as_machined

CHUNK_BYTES: Final = 1024
"""How much of a log a message carries at most, as on Talos; a line may be in several, and several in one."""

KUBELET: Final = "kubelet"
"""Talos looks for its log among its own, whatever the namespace."""


class View(NamedTuple):
    """Which lines belong to a log, and how they look there."""

    wanted: Callable[[Line], bool]
    shown: Callable[[Line], str]


VIEWS: Final[Mapping[str, View]] = {
    CONTROLLER_RUNTIME: View(lambda line: line.by_controller, as_controller_runtime),
    MACHINED: View(lambda line: not line.by_controller, as_machined),
}
"""The node's logs by their ids."""

KERNEL: Final = View(lambda _: True, as_dmesg)


class LogsService:
    """The methods on bytes; the state says which services the extensions bring."""

    def __init__(self, log: NodeLog, state: State) -> None:
        self._log = log
        self._state = state
        self.service = Service(
            NAME,
            unary={"LogsContainers": self._logs_containers},
            server_streaming={"Dmesg": self._dmesg, "Logs": self._logs},
        )

    async def _logs_containers(self, _: bytes, __: Call) -> Frames:
        """Answer with LogsContainersResponse: the ids that Logs knows."""
        message = machine_pb2.LogsContainer(ids=[*VIEWS, *sorted(await self._extension_logs())])
        return frame(machine_pb2.LogsContainersResponse(messages=[message]).SerializeToString())

    async def _logs(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer with Data in chunks of any length, as Talos does; a negative `tail_lines` means all of them."""
        wanted = parse(machine_pb2.LogsRequest, request)
        if wanted.namespace != SYSTEM_NAMESPACE and wanted.id != KUBELET:
            require_runtime(wanted.namespace, wanted.driver)
            raise Refusal(Code.UNKNOWN, f"container {go_quoted(wanted.id)} not found")
        view = VIEWS.get(wanted.id)
        if view is None:
            extension_logs = await self._extension_logs()
            if wanted.id not in extension_logs:
                raise Refusal(Code.UNKNOWN, f"log {go_quoted(wanted.id)} was not registered")
            yield b"".join(_chunks(extension_logs[wanted.id].encode()))
            return
        tail = wanted.tail_lines
        position = self._log.begin if tail < 0 else self._log.last(tail, view.wanted)
        async with aclosing(self._log.read(position, follow=wanted.follow)) as readings:
            async for reading in readings:
                if lines := "".join(_shown(reading, view)):
                    yield b"".join(_chunks(lines.encode()))

    async def _dmesg(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Answer with Data, one for each line; with `tail` only with what is said from now on."""
        wanted = parse(machine_pb2.DmesgRequest, request)
        position = self._log.end if wanted.tail else self._log.begin
        async with aclosing(self._log.read(position, follow=wanted.follow)) as readings:
            async for reading in readings:
                yield b"".join(data(line.encode()) for line in _shown(reading, KERNEL))

    async def _extension_logs(self) -> Mapping[str, str]:
        return {
            service_id(service): f"{why_not_run(service)}\n" for service in await self._state.list(ExtensionService)
        }


def _shown(reading: Reading, view: View) -> Iterator[str]:
    """Return the lines of a log as they look there; the first one says so if others before it are lost."""
    if reading.lost:
        text = f"{reading.lost} lines were overwritten before they could be read"
        yield view.shown(reading.lines[0]._replace(level="warning", text=text))
    for line in reading.lines:
        if view.wanted(line):
            yield view.shown(line)


def _chunks(text: bytes) -> Iterator[Frames]:
    for start in range(0, len(text), CHUNK_BYTES):
        yield data(text[start : start + CHUNK_BYTES])
