"""What starts when a node starts: the state, the types, its controllers and those plugged in, the local socket."""

from __future__ import annotations

import socket
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import anyio
import msgspec
from anyio import to_thread

from controllers.boot import BootController
from controllers.config import ConfigController
from controllers.extension_fetch import ExtensionFetchController
from controllers.extension_service import ExtensionServiceController
from controllers.extension_status import ExtensionStatusController
from controllers.extension_validate import ExtensionValidateController
from controllers.identity import IdentityController
from controllers.install import InstallController
from controllers.machine_status import MachineStatusController
from controllers.member import MemberController
from cosi import logs
from cosi.clock import SYSTEM, Clock
from cosi.controller.controller import Controller
from cosi.controller.host import Host
from cosi.controller.qcontroller import QController
from cosi.plugins.hosting import add_to
from cosi.plugins.sources import Sources
from cosi.resource import meta
from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.serving import Transport, serving
from cosi.state.memory.state import MemoryState
from cosi.state.registration import announce
from cosi.state.state import State
from machined import adoption, alone, api, door
from machined.api import Workings
from machined.background import Background
from machined.door import DoorOptions
from machined.event_sources import publish_changes
from machined.events import Events
from machined.login import now
from machined.maintenance import Maintenance
from machined.members import members
from machined.node_log import NodeLog
from machined.power import Power
from machined.sequencer import Sequencer
from machined.sequences import Sequences
from machined.services.identity import IdentityService
from resources import names
from resources.registered import RESOURCES
from talos.access.authorities import Authorities
from talos.config.config_files import ConfigFiles
from talos.extensions.activation import ActiveRoot, Way
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import Recipe
from talos.extensions.oci import Platform
from talos.extensions.release import Release
from talos.extensions.slots import Slots
from talos.extensions.trust import TrustPolicy

DEFAULT_TALOS_VERSION: Final = "v1.11.0"
"""The Talos version whose rules extensions are judged by, unless told."""

BUILT_IN: Final = "built in"
"""Where the node's own controllers come from."""


class Running(msgspec.Struct, frozen=True):
    """One start of a node: what it holds, until its power is thrown.

    `boot_id` is another one at each start, as a kernel's is. `door` is where others on the network get in, if they do.
    """

    state: State
    boot_id: str
    power: Power
    door: Address | None


class NodeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a node is started with. `state` is a directory of its own; everything it keeps lies there.

    `hostname` is what it calls itself, and what others may call it.
    Boot images are made of `initramfs`, where there is one; `ways` to activate them are tried in order;
    `trust` says whose signatures they need.
    `door` is where others on the network get in, and without it nobody does.
    `clock` says when the trial of a config is over.
    `on_overdue` is called, from another thread, when controllers have not stopped in time.
    """

    config: Path
    state: Path
    addresses: Sequence[Address]
    hostname: str = msgspec.field(default_factory=socket.gethostname)
    transport: Transport = Transport.NATIVE
    talos_version: str = DEFAULT_TALOS_VERSION
    platform: Platform = msgspec.field(default_factory=Platform.of_this_machine)
    initramfs: Path | None = None
    ways: Sequence[Way] = tuple(Way)
    trust: TrustPolicy | None = None
    door: DoorOptions | None = None
    sources: Sources = Sources(entry_points=False)
    clock: Clock = SYSTEM
    on_overdue: Callable[[], None] | None = None


@asynccontextmanager
async def running(options: NodeOptions) -> AsyncIterator[Running]:
    """Run a node while the body runs. Raises OSError if its directory, its plug-ins' or an address can't be had."""
    log = NodeLog()
    with logs.tapped(log.append):
        async with _running(options, log) as node:
            yield node


@asynccontextmanager
async def _running(options: NodeOptions, log: NodeLog) -> AsyncIterator[Running]:
    options.state.mkdir(mode=alone.DIRECTORY_MODE, parents=True, exist_ok=True)
    registry = Registry(RESOURCES)
    state = State(MemoryState())
    await announce(state, registry, {meta.NAMESPACE: "What describes all other resources.", **names.DESCRIPTIONS})
    host = Host(state, registry, on_overdue=options.on_overdue)
    root = ActiveRoot(options.state / "root", options.ways)
    await to_thread.run_sync(root.deactivate)  # what a node that was killed left mounted
    files = ConfigFiles(options.config.absolute(), options.state)
    maintenance = Maintenance(on=await to_thread.run_sync(lambda: files.vacant))
    for controller in controllers(options, files, root):
        await host.add(controller, BUILT_IN)
    await add_to(host, options.sources.load())
    served = serving(state, registry, options.addresses, host=host, transport=options.transport)
    events, power, background = Events(), Power(), Background()
    sequences = Sequences(Sequencer(state, events, background), state, events, power)
    workings = Workings(
        boot_id=str(uuid.uuid4()),
        log=log,
        events=events,
        sequences=sequences,
        background=background,
        authorities=Authorities(options.state / "pki"),
        maintenance=maintenance,
    )
    opened = _door(options, state, registry, workings)
    try:
        async with served, opened as listening, anyio.create_task_group() as tasks:
            tasks.start_soon(publish_changes, state, events)
            sequences.boot()
            await tasks.start(background.run)
            await tasks.start(host.run)
            yield Running(state, boot_id=workings.boot_id, power=power, door=listening)
            events.close()
            log.close()
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(root.deactivate)


@asynccontextmanager
async def _door(
    options: NodeOptions, state: State, registry: Registry, node: Workings
) -> AsyncIterator[Address | None]:
    if options.door is None:
        yield None
        return
    await to_thread.run_sync(node.authorities.ensure, now())
    identity = IdentityService(hostname=options.hostname, talos_version=options.talos_version, runs_on=options.platform)
    served = api.services(state, registry, identity, node)
    opened = door.opened(options.door, node.authorities, served, node.maintenance, hostname=options.hostname)
    async with opened as taken, anyio.create_task_group() as tasks:
        tasks.start_soon(adoption.follow, state, node.authorities, node.maintenance)
        yield taken
        tasks.cancel_scope.cancel()


def controllers(options: NodeOptions, files: ConfigFiles, root: ActiveRoot) -> Sequence[Controller | QController]:
    """Return the node's controllers, in the order in which an extension passes through them."""
    store = BlobStore(options.state / "blobs")
    recipe = Recipe(Release.parse(options.talos_version), options.initramfs)
    slots = Slots(options.state / "boot", recipe)
    return (
        ConfigController(files, clock=options.clock),
        ExtensionFetchController(
            store, base_directory=files.file.parent, platform=options.platform, trust=options.trust
        ),
        ExtensionValidateController(store, talos_version=options.talos_version),
        InstallController(store, slots),
        BootController(slots, root),
        ExtensionStatusController(),
        ExtensionServiceController(),
        IdentityController(hostname=options.hostname, talos_version=options.talos_version),
        MemberController(members(options.hostname, options.talos_version, options.door)),
        MachineStatusController(),
    )
