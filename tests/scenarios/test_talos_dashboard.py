"""`talosctl dashboard` gets what it asks for, and however many are open, the node serves others on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
import msgspec
import pytest
import structlog
from anyio import lowlevel

from cosi._pb.v1alpha1 import state_pb2
from resources.registered import RESOURCES
from talos._pb.machine import machine_pb2
from tests.scenarios.door import administrator, login, opened
from tests.scenarios.node import Site
from tests.talosctl.dashboard import WATCHED, WATCHED_KINDS, Dashboard, dashboard

BOARDS = 8
ROUNDS = 5

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def board(tmp_path: Path, *roles: str) -> AsyncIterator[Dashboard]:
    """Be a dashboard on a connection of its own; in these roles, or else the administrator's."""
    who = login(tmp_path, *roles) if roles else administrator(tmp_path)
    async with who.talosctl() as client, dashboard(client) as opened_board:
        yield opened_board


async def test_its_questions_are_answered(tmp_path: Path) -> None:
    async with opened(tmp_path), board(tmp_path, "os:reader") as open_board:
        answers = await open_board.gather()

    memory = cast(machine_pb2.MemoryResponse, answers["Memory"]).messages[0].meminfo
    stat = cast(machine_pb2.SystemStatResponse, answers["SystemStat"]).messages[0]
    processors = cast(machine_pb2.CPUInfoResponse, answers["CPUInfo"]).messages[0].cpu_info
    network = cast(machine_pb2.NetworkDeviceStatsResponse, answers["NetworkDeviceStats"]).messages[0]
    processes = cast(machine_pb2.ProcessesResponse, answers["Processes"]).messages[0].processes
    services = cast(machine_pb2.ServiceListResponse, answers["ServiceList"]).messages[0].services
    assert 0 < memory.memavailable <= memory.memtotal
    assert len(stat.cpu) == len(processors) > 0
    assert stat.cpu_total.idle > 0
    assert "lo" in {device.name for device in network.devices}
    assert all(process.executable for process in processes)
    assert [service.id for service in services] == ["apid", "controller-runtime", "machined"]


async def test_its_header_has_the_name_and_the_version_of_the_node(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.options = msgspec.structs.replace(site.options, hostname="one.example.org", talos_version="v1.12.3")
    async with opened(tmp_path, site=site), login(tmp_path, "os:reader").talosctl() as client:
        async for event in client.watch("hostname"):
            if event.event_type == state_pb2.CREATED:
                break
        ((_, hostname),) = await client.get("hostname", "hostname")
        ((_, version),) = await client.get("version", "version")

    # Fields 1 and 2 of either, as Talos numbers them.
    assert hostname.spec.proto_spec == b"\x0a\x03one\x12\x0bexample.org"
    assert hostname.spec.yaml_spec == "hostname: one\ndomainname: example.org\n"
    assert version.spec.proto_spec == b"\x0a\x07v1.12.3\x12\x05Talos"
    assert version.spec.yaml_spec == "name: Talos\nversion: v1.12.3\n"


async def test_what_it_watches_is_watched_or_refused_as_talos_refuses_it(tmp_path: Path) -> None:
    known = {each.definition.type for each in RESOURCES}
    asked = {each.type for each in (*WATCHED, *WATCHED_KINDS)}
    async with opened(tmp_path), board(tmp_path) as open_board:
        types = await open_board.explore()

    assert open_board.watching == asked & known
    assert open_board.refused == {type: f'resource type "{type}" is not supported' for type in asked - known}
    assert len(types) >= len(RESOURCES)


async def test_its_log_is_the_nodes(tmp_path: Path) -> None:
    async with opened(tmp_path), board(tmp_path) as open_board:
        structlog.get_logger(component="sample").info("marker")
        while not any("marker" in line for line in open_board.lines):
            await open_board.explore()

    assert all(line.endswith("\n") for line in open_board.lines)


async def test_many_of_them_leave_the_node_serving_others(tmp_path: Path) -> None:
    gathered = 0

    async def look() -> None:
        nonlocal gathered
        async with board(tmp_path) as open_board:
            for _ in range(ROUNDS):
                await open_board.gather()
                gathered += 1

    async with opened(tmp_path), administrator(tmp_path).talosctl() as other:
        async with anyio.create_task_group() as tasks:
            for _ in range(BOARDS):
                tasks.start_soon(look)
            meanwhile = await other.get("configstatus")
        afterwards = await other.get("configstatus")

    assert gathered == BOARDS * ROUNDS
    assert [resource.metadata.id for _, resource in (*meanwhile, *afterwards)] == ["machine", "machine"]


async def test_closed_in_the_middle_they_leave_nothing_behind(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as other:
        for _ in range(ROUNDS):
            async with anyio.create_task_group() as tasks, board(tmp_path) as open_board:
                tasks.start_soon(open_board.gather)
                await lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        remained = await other.get("configstatus")

    assert [resource.metadata.id for _, resource in remained] == ["machine"]
