"""Publishes the machine config, its documents, the extensions it asks for, and what it says of registries.

It follows the config file. A broken file changes nothing but the ConfigStatus, which says what is wrong: the node goes
on with the last good config, from before a restart if need be.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import watchfiles
from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import destroy_ready, exclusive
from cosi.controller.runtime import Runtime
from cosi.state import errors
from resources.config_document import ConfigDocument
from resources.config_status import ID, ConfigFault, ConfigStatus, ConfigStatusSpec
from resources.extension_spec import ExtensionSpec, ExtensionSpecSpec
from resources.machine_config import ID as MACHINE_CONFIG_ID
from resources.machine_config import MachineConfig
from resources.registries_config import ID as REGISTRIES_ID
from resources.registries_config import RegistriesConfig
from talos.config import last_good, machine_config
from talos.config.faults import ConfigError
from talos.config.faults import ConfigFault as Fault
from talos.extensions.reference import extension_id
from talos.extensions.registries import Registries

FILE = "the config file"
KEPT = "the last good config"
NOTHING = "nothing yet"


class ConfigController(Controller):
    """Follows the config file at `path`; `kept` is where the last good config is kept."""

    name = "config.ConfigController"
    inputs = (destroy_ready(ExtensionSpec),)
    outputs = (
        exclusive(MachineConfig),
        exclusive(ConfigDocument),
        exclusive(ConfigStatus),
        exclusive(RegistriesConfig),
        exclusive(ExtensionSpec),
    )

    def __init__(self, path: Path, kept: Path) -> None:
        self._path = path
        self._kept = kept

    async def run(self, runtime: Runtime) -> None:
        """Reconcile at the start and whenever the file changes."""
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow, runtime, stop)
            try:
                async for _ in runtime.reconcile():
                    await self._reconcile(runtime)
            finally:
                stop.set()  # being cancelled does not reach the thread that watches the file

    async def _follow(self, runtime: Runtime, stop: anyio.Event) -> None:
        # The directory is watched, not the file: editors replace a file by renaming another one over it.
        async for changes in watchfiles.awatch(self._path.parent, watch_filter=None, recursive=False, stop_event=stop):
            if any(Path(changed).name == self._path.name for _, changed in changes):
                runtime.queue_reconcile()

    async def _reconcile(self, runtime: Runtime) -> None:
        try:
            config = await to_thread.run_sync(self._load)
        except ConfigError as error:
            await self._refuse(runtime, error)
            kept = await to_thread.run_sync(self._load_kept)
            if kept is not None and await runtime.find(MachineConfig, MACHINE_CONFIG_ID) is None:
                await self._publish(runtime, kept)
            return
        await to_thread.run_sync(last_good.keep, self._kept, config.raw)
        await self._publish(runtime, config)
        status = ConfigStatusSpec(source=str(self._path), valid=True, in_force=FILE)
        await runtime.modify(ConfigStatus.new(ID, status))

    async def _publish(self, runtime: Runtime, config: machine_config.MachineConfig) -> None:
        # First, so that not even the first fetch asks where it should not.
        await self._publish_registries(runtime, config.registries)
        async with runtime.tracked_outputs(ExtensionSpec):
            for index, image in enumerate(config.extensions):
                wanted = ExtensionSpec.new(extension_id(index, image), ExtensionSpecSpec(index=index, image=image))
                try:
                    await runtime.modify(wanted)
                except errors.PhaseConflict:
                    # The line was taken out and put back: once the old resource is gone, its destroy-ready
                    # event brings us here again.
                    runtime.log.info("extension is still being removed", extension=wanted.id)
        await self._publish_documents(runtime, config)
        # Last, so that whoever sees the config sees all its extensions.
        await runtime.modify(MachineConfig.active(config.raw))

    async def _publish_documents(self, runtime: Runtime, config: machine_config.MachineConfig) -> None:
        documents = await to_thread.run_sync(ConfigDocument.all_of, config)
        async with runtime.tracked_outputs(ConfigDocument):
            for document in documents:
                await runtime.modify(document)

    async def _publish_registries(self, runtime: Runtime, registries: Registries) -> None:
        before = await runtime.find(RegistriesConfig, REGISTRIES_ID)
        warned = before.spec.registries.unverified if before is not None else ()
        if registries.unverified and registries.unverified != warned:
            runtime.log.warning("certificates are not verified", hosts=registries.unverified)
        await runtime.modify(RegistriesConfig.from_registries(registries))

    async def _refuse(self, runtime: Runtime, error: ConfigError) -> None:
        known = await runtime.find(MachineConfig, MACHINE_CONFIG_ID) is not None or self._kept.exists()
        status = ConfigStatusSpec(
            source=str(self._path),
            valid=False,
            in_force=KEPT if known else NOTHING,
            problem=str(error.faults[0]) if len(error.faults) == 1 else f"{len(error.faults)} faults",
            faults=tuple(
                ConfigFault(line=fault.line, path=fault.path, problem=fault.problem, remedy=fault.remedy)
                for fault in error.faults
            ),
        )
        before = await runtime.find(ConfigStatus, ID)
        if before is None or before.spec != status:
            runtime.log.error("machine config refused", in_force=status.in_force, error=str(error))
        await runtime.modify(ConfigStatus.new(ID, status))

    def _load(self) -> machine_config.MachineConfig:
        try:
            with self._path.open("rb") as file:
                text = file.read(machine_config.MAX_CONFIG_BYTES + 1)
        except OSError as error:
            fault = Fault(0, "", f"can't be read: {error.strerror}", "put a machine config there")
            raise ConfigError(str(self._path), (fault,)) from None
        return machine_config.parse(text, source=str(self._path))

    def _load_kept(self) -> machine_config.MachineConfig | None:
        kept = last_good.load(self._kept)
        try:
            return None if kept is None else machine_config.parse(kept, source=str(self._kept))
        except ConfigError:
            return None  # it was good for another version of this program
