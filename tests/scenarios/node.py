"""A node in this process, with a layout of images and a config beside it, and ways to wait for what it says."""

import signal
import tarfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import TaskStatus

from cosi.resource.registry import Registry
from cosi.resource.resource import ResourceT
from cosi.rpc.address import Address
from cosi.rpc.remote.state import connected
from cosi.state.event import EventType
from cosi.state.state import State
from machined.assembly import NodeOptions, running
from machined.node import live
from resources import boot_image, upgrade_request
from resources.boot_image import BootImage, BootImageSpec
from resources.extension_plan import ExtensionPlan, ExtensionPlanSpec
from resources.extension_status import ExtensionStatus
from resources.registered import RESOURCES
from resources.upgrade_request import UpgradeRequest, UpgradeRequestSpec
from talos.extensions.oci import Platform
from talos.extensions.reference import extension_id
from tests.talos.extensions import archives

PATIENCE_SECONDS = 20.0
"""How long a promise may take to come true on a busy machine."""

GOOD = "oci:images:good"


class Site:
    """A directory with a config, an OCI layout beside it, and a node's state."""

    def __init__(self, directory: Path) -> None:
        self.layout = directory / "images"
        self.config = directory / "machine.yaml"
        self.options = NodeOptions(
            config=self.config,
            state=directory / "state",
            addresses=(Address(path=str(directory / "run/cosi.sock")),),
            platform=Platform("linux", "amd64"),
        )

    def add_image(self, tag: str, *members: tuple[tarfile.TarInfo, bytes]) -> str:
        """Put an image with a good manifest and these members into the layout; return its reference."""
        archives.image(self.layout, tag, [archives.extension(*members)])
        return f"oci:images:{tag}"

    def add_good_image(self, tag: str = "good") -> str:
        """Put an image that keeps all rules into the layout; return its reference."""
        return self.add_image(tag, archives.file(f"rootfs/usr/local/bin/{tag}"))

    def write_config(self, *images: str) -> None:
        """Ask for these images."""
        lines = "".join(f"      - image: {image}\n" for image in images)
        text = f"version: v1alpha1\nmachine:\n  install:\n    extensions:\n{lines}" if images else "version: v1alpha1\n"
        self.config.write_text(text)

    @asynccontextmanager
    async def node(self) -> AsyncIterator[State]:
        """Run a node for as long as the body takes, and no longer than patience allows."""
        with anyio.fail_after(PATIENCE_SECONDS):
            async with running(self.options) as node:
                yield node.state

    @asynccontextmanager
    async def living(self) -> AsyncIterator[anyio.Event]:
        """Run a node that starts again when it is told to reboot; the event tells that it has ended."""
        send, signals = anyio.create_memory_object_stream[signal.Signals](1)
        ended = anyio.Event()

        async def life(*, task_status: TaskStatus[None]) -> None:
            await live(self.options, signals, task_status=task_status)
            ended.set()

        with anyio.fail_after(PATIENCE_SECONDS), send, signals:
            async with anyio.create_task_group() as tasks:
                await tasks.start(life)
                yield ended
                send.send_nowait(signal.SIGTERM)

    @asynccontextmanager
    async def state(self) -> AsyncIterator[State]:
        """Be connected to the node's local socket."""
        async with connected(self.options.addresses[0], Registry(RESOURCES)) as remote:
            yield State(remote)


async def until(state: State, resource: type[ResourceT], id: str, condition: Callable[[ResourceT], bool]) -> ResourceT:
    """Wait until a resource exists and is as wanted; return it."""
    event = await state.watch_for(
        resource.pointer_to(id),
        lambda event: (
            event.type is not EventType.DESTROYED and isinstance(event.resource, resource) and condition(event.resource)
        ),
    )
    assert isinstance(event.resource, resource)
    return event.resource


async def until_gone(state: State, resource: type[ResourceT], id: str) -> None:
    """Wait until a resource does not exist."""
    await state.watch_for(resource.pointer_to(id), lambda event: event.type is EventType.DESTROYED)


async def until_planned(
    state: State, index: int, image: str, condition: Callable[[ExtensionPlanSpec], bool]
) -> ExtensionPlanSpec:
    """Wait until the plan of an extension is as wanted; return it."""
    id = extension_id(index, image)
    return (await until(state, ExtensionPlan, id, lambda plan: condition(plan.spec))).spec


async def until_active(state: State, index: int, image: str) -> ExtensionStatus:
    """Wait until an extension is active; return its status."""
    return await until(state, ExtensionStatus, extension_id(index, image), lambda _: True)


async def upgrade(state: State, request: str = "1", *, rollback: bool = False, stage: bool = False) -> BootImageSpec:
    """Ask for an upgrade, or for the image before, at once or at the next boot; return the answer."""
    spec = UpgradeRequestSpec(request=request, rollback=rollback, stage=stage)
    await state.modify(UpgradeRequest.new(upgrade_request.ID, spec))
    answer = await until(state, BootImage, boot_image.ID, lambda image: image.spec.request == request)
    return answer.spec


async def active(state: State) -> Sequence[str]:
    """Return the ids of the extensions that are active."""
    return [status.id for status in await state.list(ExtensionStatus)]
