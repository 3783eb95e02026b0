"""Publishes the machine config, its documents, the extensions it asks for, and what it says of registries.

It follows the config file, and does what ConfigRequests ask for: puts a config into the file, stages one for the next
start, or tries one for a time. A broken file changes nothing but the ConfigStatus, which says what is wrong: the node
goes on with the last good config, from before a restart if need be.
"""

from __future__ import annotations

import datetime
from typing import Final

import anyio
import watchfiles
from anyio import to_thread

from cosi.clock import SYSTEM, Clock
from cosi.controller.controller import Controller
from cosi.controller.dependencies import destroy_ready, exclusive, weak
from cosi.controller.runtime import Runtime
from cosi.state import errors
from resources import config_request
from resources.config_document import ConfigDocument
from resources.config_request import ConfigRequest, ConfigRequestSpec, ConfigUse
from resources.config_status import ID, ConfigFault, ConfigStatus, ConfigStatusSpec
from resources.extension_spec import ExtensionSpec, ExtensionSpecSpec
from resources.machine_config import MachineConfig
from resources.registries_config import ID as REGISTRIES_ID
from resources.registries_config import RegistriesConfig
from talos.config import machine_config
from talos.config.claims import Claims
from talos.config.config_files import ConfigFiles
from talos.config.faults import ConfigError
from talos.extensions.reference import extension_id
from talos.extensions.registries import Registries

FILE: Final = "the config file"
KEPT: Final = "the last good config"
NOTHING: Final = "nothing yet"
ON_TRIAL: Final = "a config on trial until"


class ConfigController(Controller):
    """Follows the config file; `clock` says when a trial is over."""

    name = "config.ConfigController"
    inputs = (weak(ConfigRequest, id=config_request.ID), destroy_ready(ExtensionSpec))
    outputs = (
        exclusive(MachineConfig),
        exclusive(ConfigDocument),
        exclusive(ConfigStatus),
        exclusive(RegistriesConfig),
        exclusive(ExtensionSpec),
    )

    def __init__(self, files: ConfigFiles, *, clock: Clock = SYSTEM) -> None:
        self._files = files
        self._clock = clock
        # Outlives a failure of this controller, so that a trial does.
        self._claims: Claims | None = None

    async def run(self, runtime: Runtime) -> None:
        """Reconcile at the start, whenever the file changes, when asked, and when a trial is over."""
        stop = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow, runtime, stop)
            alarm = anyio.CancelScope()
            try:
                async for _ in runtime.reconcile():
                    trial = (await self._reconcile(runtime)).trial
                    alarm.cancel()
                    alarm = anyio.CancelScope()
                    if trial is not None and trial.ends is not None:
                        tasks.start_soon(self._remind, runtime, trial.ends, alarm)
            finally:
                stop.set()  # being cancelled does not reach the thread that watches the file

    async def _remind(self, runtime: Runtime, when: float, alarm: anyio.CancelScope) -> None:
        with alarm:
            await self._clock.sleep(when - self._clock.now())
            runtime.queue_reconcile()

    async def _follow(self, runtime: Runtime, stop: anyio.Event) -> None:
        # The directory is watched, not the file: editors replace a file by renaming another one over it.
        file = self._files.file
        async for changes in watchfiles.awatch(file.parent, watch_filter=None, recursive=False, stop_event=stop):
            if any(changed.endswith(f"/{file.name}") for _, changed in changes):
                runtime.queue_reconcile()

    async def _reconcile(self, runtime: Runtime) -> Claims:
        claims = self._claims or await self._start(runtime)
        status = await runtime.find(ConfigStatus, ID)
        request, refused = ("", "") if status is None else (status.spec.request, status.spec.refused)
        # First what the file holds: whoever asks has spoken after who wrote it.
        claims, error = await to_thread.run_sync(self._look, claims)
        asked = await runtime.find(ConfigRequest, config_request.ID)
        if asked is not None and asked.spec.request != request:
            request = asked.spec.request
            claims, refused = await to_thread.run_sync(self._do, claims, asked.spec)
            claims, error = await to_thread.run_sync(self._look, claims)
            runtime.log.info("config requested", use=str(asked.spec.use), refused=refused)
        claims = self._claims = claims.at(self._clock.now())
        await self._publish(runtime, claims)
        await self._report(runtime, claims, error, request=request, refused=refused)
        return claims

    async def _start(self, runtime: Runtime) -> Claims:
        claims, problem = await to_thread.run_sync(self._files.start)
        if problem:
            runtime.log.error("the staged config is not put in force", problem=problem)
        return claims

    def _look(self, claims: Claims) -> tuple[Claims, ConfigError | None]:
        """Take note of what the file holds, and see to it that the next start knows."""
        try:
            claims, error = claims.found(self._files.load()), None
        except ConfigError as found:
            error = found
        self._files.keep(claims)
        return claims, error

    def _do(self, claims: Claims, asked: ConfigRequestSpec) -> tuple[Claims, str]:
        """Do what is asked for; return why nothing was done, if so."""
        if asked.first and claims.saved is not None:
            return claims, "the node has a config by now"
        try:
            config = machine_config.parse(asked.config, source="the config")
            match asked.use:
                case ConfigUse.APPLY:
                    return self._files.save(claims, config), ""
                case ConfigUse.STAGE:
                    return self._files.stage(claims, config), ""
                case ConfigUse.TRY if claims.saved is not None:
                    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=asked.seconds)
                    return claims.tried(config, self._clock.now() + asked.seconds, until), ""
                case ConfigUse.TRY:
                    return claims, "there is no config to go back to after a trial"
                case ConfigUse.NOTHING:
                    return claims, "nothing is asked for"
        except ConfigError as error:
            return claims, str(error)
        except OSError as error:
            return claims, f"{error.filename or self._files.file} can't be written: {error.strerror}"

    async def _publish(self, runtime: Runtime, claims: Claims) -> None:
        if claims.lasting is not None:
            await runtime.modify(MachineConfig.lasting(claims.lasting.raw))
        config = claims.in_force
        if config is None:
            return
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

    async def _report(
        self, runtime: Runtime, claims: Claims, error: ConfigError | None, *, request: str, refused: str
    ) -> None:
        faults = error.faults if error is not None else ()
        status = ConfigStatusSpec(
            source=str(self._files.file),
            valid=error is None,
            in_force=_in_force(claims, valid=error is None),
            problem=str(faults[0]) if len(faults) == 1 else f"{len(faults)} faults" if faults else "",
            faults=tuple(
                ConfigFault(line=fault.line, path=fault.path, problem=fault.problem, remedy=fault.remedy)
                for fault in faults
            ),
            staged=claims.staged is not None,
            request=request,
            refused=refused,
        )
        before = await runtime.find(ConfigStatus, ID)
        if error is not None and (before is None or before.spec.faults != status.faults):
            runtime.log.error("machine config refused", in_force=status.in_force, error=str(error))
        await runtime.modify(ConfigStatus.new(ID, status))


def _in_force(claims: Claims, *, valid: bool) -> str:
    if claims.trial is not None:
        return f"{ON_TRIAL} {claims.trial.until}"
    if claims.saved is None:
        return NOTHING
    return FILE if valid else KEPT
