"""`talosctl dashboard`: nine questions every few seconds, twenty watches, and the kernel's log, all at the same time.

Faithful to internal/pkg/dashboard (apidata, resourcedata, logdata, resourceexplorer). It asks for types that a node may
not have, and goes on if they are refused with PERMISSION_DENIED; at any other refusal it begins anew every second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

import anyio
from anyio.abc import TaskStatus
from google.protobuf.message import Message

from cosi._pb.v1alpha1 import resource_pb2, state_pb2
from cosi.resource.metadata import Kind, Pointer
from cosi.rpc.http2.status import Code
from talos._pb.machine import machine_pb2
from tests.talosctl import looks
from tests.talosctl.talosctl import STATE, Talosctl
from tests.talosctl.wire import CallFailed

QUESTIONS: Final[Mapping[str, type[Message]]] = {
    "LoadAvg": machine_pb2.LoadAvgResponse,
    "Memory": machine_pb2.MemoryResponse,
    "SystemStat": machine_pb2.SystemStatResponse,
    "CPUFreqStats": machine_pb2.CPUFreqStatsResponse,
    "CPUInfo": machine_pb2.CPUInfoResponse,
    "NetworkDeviceStats": machine_pb2.NetworkDeviceStatsResponse,
    "DiskStats": machine_pb2.DiskStatsResponse,
    "Processes": machine_pb2.ProcessesResponse,
    "ServiceList": machine_pb2.ServiceListResponse,
}

WATCHED: Final = (
    Pointer("runtime", "MachineStatuses.runtime.talos.dev", "machine"),
    Pointer("runtime", "SecurityStates.talos.dev", "securitystate"),
    Pointer("config", "MachineTypes.config.talos.dev", "machine-type"),
    Pointer("k8s", "KubeletSpecs.kubernetes.talos.dev", "kubelet"),
    Pointer("k8s", "KubeletStatuses.kubernetes.talos.dev", "kubelet"),
    Pointer("network", "ResolverStatuses.net.talos.dev", "resolvers"),
    Pointer("network", "TimeServerStatuses.net.talos.dev", "timeservers"),
    Pointer("hardware", "SystemInformations.hardware.talos.dev", "systeminformation"),
    Pointer("cluster", "Infos.cluster.talos.dev", "current"),
    Pointer("network", "NetworkStatuses.net.talos.dev", "status"),
    Pointer("network", "HostnameStatuses.net.talos.dev", "hostname"),
    Pointer("runtime", "Versions.runtime.talos.dev", "version"),
)

WATCHED_KINDS: Final = (
    Kind("runtime", "MetaKeys.runtime.talos.dev"),
    Kind("k8s", "StaticPodStatuses.kubernetes.talos.dev"),
    Kind("network", "RouteStatuses.net.talos.dev"),
    Kind("network", "LinkStatuses.net.talos.dev"),
    Kind("cluster", "Members.cluster.talos.dev"),
    Kind("network", "NodeAddresses.net.talos.dev"),
    Kind("config", "SiderolinkStatuses.siderolink.talos.dev"),
    Kind("runtime", "Diagnostics.runtime.talos.dev"),
)


class Dashboard:
    """One that is open. What it was refused to watch is in `refused`, and what the log said in `lines`."""

    def __init__(self, client: Talosctl) -> None:
        self._client = client
        self.refused: dict[str, str] = {}
        self.watching: set[str] = set()
        self.lines: list[str] = []

    async def gather(self) -> Mapping[str, Message]:
        """Ask the nine questions at once, as it does every three seconds."""
        answers: dict[str, Message] = {}

        async def ask(method: str) -> None:
            answers[method] = await looks.show(self._client, method, QUESTIONS[method])

        async with anyio.create_task_group() as tasks:
            for method in QUESTIONS:
                tasks.start_soon(ask, method)
        return answers

    async def explore(self) -> Sequence[resource_pb2.Resource]:
        """List the resource types, as its third screen does."""
        request = state_pb2.ListRequest(namespace="meta", type="ResourceDefinitions.meta.cosi.dev")
        answers = self._client.stream(f"{STATE}/List", request, state_pb2.ListResponse)
        return [answer.resource async for answer in answers]

    async def follow_log(self) -> None:
        """Take in the kernel's log, from its beginning."""
        async for line in looks.dmesg(self._client, follow=True):
            self.lines.append(line)

    async def watch(self, request: state_pb2.WatchRequest, *, task_status: TaskStatus[None]) -> None:
        """Watch something for good; it has started once it was answered for the first time."""
        try:
            async with aclosing(self._client.stream(f"{STATE}/Watch", request, state_pb2.WatchResponse)) as events:
                await anext(events)
                self.watching.add(request.type)
                task_status.started()
                async for _ in events:
                    continue
        except CallFailed as failure:
            if failure.code != Code.PERMISSION_DENIED:
                raise
            self.refused[request.type] = failure.message
            task_status.started()


@asynccontextmanager
async def dashboard(client: Talosctl) -> AsyncIterator[Dashboard]:
    """Open a dashboard: it follows the log and what it can watch, one watch after the other, until it is closed."""
    board = Dashboard(client)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(board.follow_log)
        for pointer in WATCHED:
            one = state_pb2.WatchRequest(**pointer._asdict(), options=state_pb2.WatchOptions(), api_version=1)
            await tasks.start(lambda task_status, one=one: board.watch(one, task_status=task_status))
        for kind in WATCHED_KINDS:
            options = state_pb2.WatchOptions(bootstrap_contents=True)
            all = state_pb2.WatchRequest(**kind._asdict(), options=options, api_version=1)
            await tasks.start(lambda task_status, all=all: board.watch(all, task_status=task_status))
        yield board
        tasks.cancel_scope.cancel()
