"""talosctl's commands that change how a node boots, call by call, and its waiting for what comes of them.

Faithful to cmd/talosctl/cmd/talos (upgrade, reboot, rollback, shutdown, image) and cmd/talosctl/pkg/talos/action. The
connection is made anew whenever one ends, as grpc-go does.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, TypeVar

import anyio
import semver
from google.protobuf.message import Message

from cosi.rpc.http2.status import Code
from talos._pb.common import common_pb2
from talos._pb.machine import image_pb2, lifecycle_pb2, machine_pb2
from tests.talosctl.talosctl import IMAGES, LIFECYCLE, MACHINE, Talosctl
from tests.talosctl.wire import CallFailed

RETRY_SECONDS: Final = 1.0
"""How long talosctl waits before it asks for events again."""

BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
INSTALLER: Final = "ghcr.io/siderolabs/installer:v1.14.0"
SINCE_LIFECYCLE: Final = semver.Version.parse("1.13.0-alpha.2")

CONTAINERD: Final = common_pb2.ContainerdInstance(
    driver=common_pb2.ContainerDriver.CRI, namespace=common_pb2.ContainerdNamespace.NS_SYSTEM
)

Connect = Callable[[], AbstractAsyncContextManager[Talosctl]]
Act = Callable[[Talosctl], Awaitable[str]]
"""What a command does; returns the actor id."""
Answer = TypeVar("Answer", bound=Message)


class UpgradeFailed(Exception):
    """The exit code was not zero; the argument is what the node said before."""


class SequenceFailed(Exception):
    """An event told that a sequence failed."""


class _AskAgain(Exception):
    """Tracking goes on with a new call."""


async def reboot(
    connect: Connect, *, mode: machine_pb2.RebootRequest.Mode = machine_pb2.RebootRequest.DEFAULT
) -> Sequence[Message]:
    """`talosctl reboot --wait`: return the events it has shown."""

    async def act(client: Talosctl) -> str:
        answer = await client.unary(
            f"{MACHINE}/Reboot", machine_pb2.RebootRequest(mode=mode), machine_pb2.RebootResponse
        )
        return answer.messages[0].actor_id

    return await Tracker(connect, act, _ready).run(has_rebooted=True)


async def shutdown(connect: Connect) -> Sequence[Message]:
    """`talosctl shutdown --wait`: return the events it has shown."""

    async def act(client: Talosctl) -> str:
        answer = await client.unary(f"{MACHINE}/Shutdown", machine_pb2.ShutdownRequest(), machine_pb2.ShutdownResponse)
        return answer.messages[0].actor_id

    return await Tracker(connect, act, _stops).run(has_rebooted=False)


async def rollback(connect: Connect) -> None:
    """`talosctl rollback`, which does not wait."""
    async with connect() as client:
        await client.unary(f"{MACHINE}/Rollback", machine_pb2.RollbackRequest(), machine_pb2.RollbackResponse)


async def upgrade(connect: Connect, image: str = INSTALLER) -> Sequence[str]:
    """`talosctl upgrade`: return the lines the node told; none of one before 1.13. Raises UpgradeFailed."""
    async with connect() as client:
        (answer,) = await client.version()
    version = semver.Version.parse(answer.messages[0].version.tag.removeprefix("v"))
    if not version > SINCE_LIFECYCLE:
        await legacy_upgrade(connect, image)
        return ()
    async with connect() as client:
        await image_pull(client, image)
        lines = await lifecycle_upgrade(client, image)
    await reboot(connect)
    return lines


async def legacy_upgrade(connect: Connect, image: str = INSTALLER, *, stage: bool = False) -> Sequence[Message]:
    """What `talosctl upgrade` does with nodes before 1.13: return the events it has shown."""

    async def act(client: Talosctl) -> str:
        request = machine_pb2.UpgradeRequest(image=image, stage=stage)
        answer = await client.unary(f"{MACHINE}/Upgrade", request, machine_pb2.UpgradeResponse)
        assert answer.messages[0].ack == "Upgrade request received"
        return answer.messages[0].actor_id

    return await Tracker(connect, act, _ready).run(has_rebooted=True)


async def lifecycle_upgrade(client: Talosctl, image: str = INSTALLER) -> Sequence[str]:
    """The part of `talosctl upgrade` that installs: return what the node told. Raises UpgradeFailed."""
    lines, codes = [], []
    async for answer in upgrade_answers(client, image):
        if answer.progress.HasField("message"):
            lines.append(answer.progress.message)
        else:
            codes.append(answer.progress.exit_code)
    if codes != [0]:
        raise UpgradeFailed("".join(lines), codes)
    return lines


def upgrade_answers(
    client: Talosctl, image: str = INSTALLER
) -> AsyncGenerator[lifecycle_pb2.LifecycleServiceUpgradeResponse, None]:
    """The call that installs; yields its answers."""
    request = lifecycle_pb2.LifecycleServiceUpgradeRequest(
        containerd=CONTAINERD, source=lifecycle_pb2.InstallArtifactsSource(image_name=image)
    )
    return client.stream(f"{LIFECYCLE}/Upgrade", request, lifecycle_pb2.LifecycleServiceUpgradeResponse)


async def image_pull(client: Talosctl, image: str = INSTALLER) -> Sequence[image_pb2.ImageServicePullProgress]:
    """`talosctl image pull`: return the progress it showed."""
    request = image_pb2.ImageServicePullRequest(containerd=CONTAINERD, image_ref=image)
    stream = client.stream(f"{IMAGES}/Pull", request, image_pb2.ImageServicePullResponse)
    answers = [answer async for answer in stream]
    assert [answer.name for answer in answers if answer.HasField("name")] == [image]
    return [answer.pull_progress for answer in answers if answer.HasField("pull_progress")]


async def image_list(client: Talosctl) -> Sequence[image_pb2.ImageServiceListResponse]:
    """`talosctl image list`."""
    request = image_pb2.ImageServiceListRequest(containerd=CONTAINERD)
    return [answer async for answer in client.stream(f"{IMAGES}/List", request, image_pb2.ImageServiceListResponse)]


class Tracker:
    """Acts, and follows the events until one is as expected, across restarts of the node."""

    def __init__(self, connect: Connect, act: Act, expected: Callable[[Message], bool]) -> None:
        self._connect = connect
        self._act = act
        self._expected = expected
        self._following = anyio.Event()
        self._acted = anyio.Event()
        self._actor = ""
        self._shown: list[Message] = []

    async def run(self, *, has_rebooted: bool) -> Sequence[Message]:
        """Return the events of the actor that were seen, and the expected one. Raises SequenceFailed, CallFailed."""
        async with self._connect() as client:
            await client.version()
            before = await boot_id(client) if has_rebooted else ""
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._track)
                await self._following.wait()  # talosctl leaves this to luck
                self._actor = await self._act(client)
                self._acted.set()
        while has_rebooted:
            async with self._connect() as client:
                if before != await boot_id(client) or not before:
                    break
            await anyio.sleep(RETRY_SECONDS)
        return self._shown

    async def _track(self) -> None:
        tail = 0
        while True:
            try:
                async with self._connect() as client, aclosing(client.events(tail=tail)) as events:
                    await anext(events)
                    self._following.set()
                    await self._acted.wait()
                    if await self._handle(events):
                        return
                tail, self._actor = -1, ""  # the stream has ended
            except _AskAgain:
                pass
            except (OSError, ssl.SSLError, CallFailed) as error:
                if isinstance(error, CallFailed) and error.code not in (Code.UNAVAILABLE, Code.CANCELLED, -1):
                    raise
                tail, self._actor = -1, ""
            await anyio.sleep(RETRY_SECONDS)

    async def _handle(self, events: AsyncGenerator[tuple[machine_pb2.Event, Message | None], None]) -> bool:
        async for event, said in events:
            assert said is not None
            if self._expected(said):
                self._shown.append(said)
                return True
            if event.actor_id != self._actor:
                continue
            self._shown.append(said)
            if isinstance(said, machine_pb2.TaskEvent) and said.task == "stopAllServices":
                raise _AskAgain
            if isinstance(said, machine_pb2.SequenceEvent):
                if said.sequence == "reboot":
                    raise _AskAgain
                if said.error.message:
                    raise SequenceFailed(said.error.message)
        return False


async def boot_id(client: Talosctl) -> str:
    """Return the node's boot id; empty where it may not be read."""
    try:
        return (await client.read(BOOT_ID)).decode().strip()
    except CallFailed as error:
        if error.code == Code.PERMISSION_DENIED:
            return ""
        raise


def _ready(said: Message) -> bool:
    running = machine_pb2.MachineStatusEvent.RUNNING
    return isinstance(said, machine_pb2.MachineStatusEvent) and said.stage == running and said.status.ready


def _stops(said: Message) -> bool:
    return isinstance(said, machine_pb2.TaskEvent) and said.task == "stopAllServices"
