"""talosctl looks into a node: what it says, which services it has, and how busy its machine is."""

import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import msgspec
import pytest
import structlog
from google.protobuf.empty_pb2 import Empty

from cosi.plugins.sources import Sources
from cosi.rpc.http2.status import Code
from cosi.state.state import State
from resources.extension_service import ExtensionService
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2
from talos.log_ring import CAPACITY_BYTES, MAX_LINE_CHARACTERS
from tests.scenarios.door import administrator, login, opened
from tests.scenarios.node import Site, until
from tests.talos.extensions import archives
from tests.talos.extensions.service_texts import service_text
from tests.talosctl import looks
from tests.talosctl.talosctl import MACHINE, Talosctl
from tests.talosctl.wire import CallFailed

pytestmark = pytest.mark.anyio


def say(event: str, **facts: object) -> None:
    """Say something in this process, and so in the node's log."""
    structlog.get_logger(component="sample").info(event, **facts)


async def test_dmesg_shows_the_nodes_own_log_a_line_a_message(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        say("a sample", number=1)
        lines = [line async for line in looks.dmesg(client)]

    assert lines[-1].startswith("user:    info: [20")
    assert lines[-1].endswith("Z]: [talos] a sample component=sample number=1\n")
    assert all(line.count("\n") == 1 for line in lines)


async def test_dmesg_follows_what_is_said_and_ends_with_the_node(tmp_path: Path) -> None:
    received = []
    async with anyio.create_task_group() as tasks:
        ready = anyio.Event()

        async def follow() -> None:
            async with (
                administrator(tmp_path).talosctl() as client,
                aclosing(looks.dmesg(client, follow=True)) as lines,
            ):
                async for line in lines:
                    received.append(line)
                    if "marker" in line:
                        ready.set()

        async with opened(tmp_path):
            say("marker")
            tasks.start_soon(follow)
            await ready.wait()
            say("the last one")

    assert "the last one" in received[-1]


async def test_dmesg_with_tail_leaves_out_what_was_said_before(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        say("before")
        assert [line async for line in looks.dmesg(client, tail=True)] == []


@asynccontextmanager
async def with_services(tmp_path: Path) -> AsyncIterator[Talosctl]:
    """Be talosctl at a node that has booted an extension with two services, one of them not as Talos wants it."""
    site = Site(tmp_path)
    image = site.add_image(
        "hello",
        archives.file("rootfs/usr/local/etc/containers/hello.yaml", service_text("hello")),
        archives.file("rootfs/usr/local/etc/containers/broken.yaml", b"name: broken\n"),
    )
    async with opened(tmp_path, [image], site):
        async with administrator(tmp_path).state() as core:
            await until(State(core), ExtensionService, "hello.yaml", lambda _: True)
        async with administrator(tmp_path).talosctl() as client:
            yield client


async def test_logs_of_the_node_and_of_its_controllers_are_two(tmp_path: Path) -> None:
    async with with_services(tmp_path) as client:
        say("a sample")
        machined = [line async for line in looks.logs(client, "machined")]
        controllers = [line async for line in looks.logs(client, "controller-runtime")]

    assert machined[-1].endswith(" a sample component=sample")
    assert any("controller=runtime.ExtensionServiceController" in line for line in controllers)
    assert not any("controller=" in line for line in machined)
    assert not any("a sample" in line for line in controllers)


async def test_logs_show_the_last_lines_and_then_what_comes(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        for number in range(3):
            say(f"line {number}")
        async with aclosing(looks.logs(client, "machined", follow=True, tail=2)) as lines:
            first = [await anext(lines), await anext(lines)]
            say("line 3")
            then = await anext(lines)
        none = [line async for line in looks.logs(client, "machined", tail=0)]

    assert [line.split()[3] for line in (*first, then)] == ["1", "2", "3"]
    assert none == []


async def test_a_follower_that_is_too_slow_is_told_what_it_missed(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        say("the first")
        async with aclosing(looks.dmesg(client, follow=True)) as lines:
            await anext(lines)
            for number in range(3 * CAPACITY_BYTES // MAX_LINE_CHARACTERS):
                say("x" * MAX_LINE_CHARACTERS, number=number)
            say("the last")
            said = []
            async for line in lines:
                said.append(line)
                if "the last" in line:
                    break

    missed = [line for line in said if "lines were overwritten before they could be read" in line]
    assert len(missed) == 1
    assert " warning: [" in missed[0]


async def test_the_services_of_extensions_have_logs_that_say_why_they_do_not_run(tmp_path: Path) -> None:
    async with with_services(tmp_path) as client:
        ids = await looks.logs_containers(client)
        hello = [line async for line in looks.logs(client, "ext-hello", follow=True)]
        broken = [line async for line in looks.logs(client, "ext-broken.yaml")]

    assert ids == ["controller-runtime", "machined", "ext-broken.yaml", "ext-hello"]
    assert hello == ["not running: this node runs no containers"]
    assert "entrypoint" in broken[0]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (machine_pb2.LogsRequest(namespace="system", id="nobody"), Code.UNKNOWN, 'log "nobody" was not registered'),
        (machine_pb2.LogsRequest(namespace="k8s.io", id="kubelet"), Code.UNKNOWN, 'log "kubelet" was not registered'),
        (
            machine_pb2.LogsRequest(namespace="k8s.io", id="pod", driver=common_pb2.ContainerDriver.CRI),
            Code.UNKNOWN,
            'container "pod" not found',
        ),
        (machine_pb2.LogsRequest(id="machined"), Code.INVALID_ARGUMENT, "namespace can't be empty"),
    ],
)
async def test_a_log_that_is_not_there_is_refused_as_talos_does(
    tmp_path: Path, request_: machine_pb2.LogsRequest, code: Code, message: str
) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        with pytest.raises(CallFailed) as refused:
            await client.unary(f"{MACHINE}/Logs", request_, common_pb2.Data)

    assert (refused.value.code, refused.value.message) == (code, message)


async def test_services_are_the_nodes_own_and_those_of_extensions_which_are_not_run(tmp_path: Path) -> None:
    async with with_services(tmp_path) as client:
        services = {service.id: service for service in await looks.services(client)}

    assert {id: service.state for id, service in services.items()} == {
        "apid": "Running",
        "controller-runtime": "Running",
        "ext-broken.yaml": "Failed",
        "ext-hello": "Skipped",
        "machined": "Running",
    }
    assert list(services) == sorted(services)
    assert services["machined"].health.healthy
    assert services["ext-hello"].health.unknown
    assert services["ext-hello"].events.events[-1].msg == "not running: this node runs no containers"
    assert "entrypoint" in services["ext-broken.yaml"].events.events[-1].msg
    assert all(service.events.events[-1].ts.seconds > 0 for service in services.values())


async def test_a_controller_that_could_not_be_loaded_makes_its_service_unhealthy(tmp_path: Path) -> None:
    site = Site(tmp_path)
    sources = Sources(references=("no reference",), entry_points=False)
    site.options = msgspec.structs.replace(site.options, sources=sources)
    async with opened(tmp_path, site=site), administrator(tmp_path).talosctl() as client:
        services = {service.id: service for service in await looks.services(client)}

    assert not services["controller-runtime"].health.healthy
    problem = "'no reference' is no reference: write package.module:ClassName"
    assert services["controller-runtime"].health.last_message == f"no reference: {problem}"
    assert services["machined"].health.healthy


async def test_a_service_can_be_neither_started_nor_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        for method in ("ServiceStart", "ServiceStop", "ServiceRestart"):
            with pytest.raises(CallFailed, match="is not served") as refused:
                await looks.show(client, method, Empty)
            assert refused.value.code == Code.UNIMPLEMENTED


async def test_the_machine_is_shown_to_readers_and_of_its_processes_only_the_nodes(tmp_path: Path) -> None:
    async with opened(tmp_path), login(tmp_path, "os:reader").talosctl() as client:
        load = await looks.show(client, "LoadAvg", machine_pb2.LoadAvgResponse)
        mounts = await looks.show(client, "Mounts", machine_pb2.MountsResponse)
        processes = await looks.show(client, "Processes", machine_pb2.ProcessesResponse)

    assert load.messages[0].load15 >= 0
    assert any(mount.mounted_on == "/proc" for mount in mounts.messages[0].stats)
    shown = {process.pid: process.ppid for process in processes.messages[0].processes}
    assert os.getpid() in shown
    assert all(pid == os.getpid() or parent in shown for pid, parent in shown.items())


@pytest.mark.parametrize(("namespace", "driver"), [("system", "CONTAINERD"), ("k8s.io", "CRI")])
async def test_there_are_no_containers(tmp_path: Path, namespace: str, driver: str) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        containers = await client.unary(
            f"{MACHINE}/Containers",
            machine_pb2.ContainersRequest(namespace=namespace, driver=driver),
            machine_pb2.ContainersResponse,
        )
        stats = await client.unary(
            f"{MACHINE}/Stats",
            machine_pb2.StatsRequest(namespace=namespace, driver=driver),
            machine_pb2.StatsResponse,
        )

    assert [list(message.containers) for message in containers.messages] == [[]]
    assert [list(message.stats) for message in stats.messages] == [[]]


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        (machine_pb2.ContainersRequest(), Code.INVALID_ARGUMENT, "namespace can't be empty"),
        (
            machine_pb2.ContainersRequest(namespace="system", driver=common_pb2.ContainerDriver.CRI),
            Code.UNKNOWN,
            "CRI inspector is supported only for K8s namespace",
        ),
        (
            machine_pb2.ContainersRequest.FromString(b"\x0a\x06system\x10\x07"),  # a driver of tomorrow
            Code.INVALID_ARGUMENT,
            'unsupported driver "7"',
        ),
    ],
)
async def test_containers_that_cannot_be_are_refused_as_talos_does(
    tmp_path: Path, request_: machine_pb2.ContainersRequest, code: Code, message: str
) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        with pytest.raises(CallFailed) as refused:
            await client.unary(f"{MACHINE}/Containers", request_, machine_pb2.ContainersResponse)

    assert (refused.value.code, refused.value.message) == (code, message)


async def test_logs_and_machine_are_for_those_who_may_read(tmp_path: Path) -> None:
    async with opened(tmp_path), login(tmp_path, "os:etcd:backup").talosctl() as client:
        with pytest.raises(CallFailed, match="not authorized"):
            await looks.show(client, "Memory", machine_pb2.MemoryResponse)
        with pytest.raises(CallFailed, match="not authorized"):
            await anext(looks.dmesg(client))
