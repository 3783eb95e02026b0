"""machine.MachineService/ApplyConfiguration: another machine config, checked, and then in force, staged, or on trial.

The config controller does it, asked by a ConfigRequest; here it is decided who may ask, and what an answer says. Modes,
codes and messages are Talos's (internal/app/machined/internal/server/v1alpha1), except that every fault of a config
that is refused is told, and that nothing happens to a trial unless something comes of the call.
"""

from __future__ import annotations

import secrets
from typing import Final

import anyio
from anyio import to_thread

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.state.event import Event
from cosi.state.state import State
from machined import access
from machined.maintenance import Maintenance
from machined.services.machine import NAME
from resources import config_request, config_status, machine_config
from resources.config_request import ConfigRequest, ConfigRequestSpec, ConfigUse
from resources.config_status import ConfigStatus
from resources.machine_config import MachineConfig
from talos import go_duration, yaml_document
from talos._pb.machine import machine_pb2
from talos.access.roles import Role
from talos.config import difference
from talos.config.faults import ConfigError
from talos.config.machine_config import MAX_CONFIG_BYTES
from talos.config.machine_config import MachineConfig as Config
from talos.config.machine_config import parse as parse_config

TRIAL_NANOSECONDS: Final = 60_000_000_000
"""How long a trial lasts unless told."""

MAX_TRIAL_NANOSECONDS: Final = 24 * 3600 * 1_000_000_000
"""A trial is for who waits to see what comes of it."""

ANSWER_SECONDS: Final = 30.0
"""How long the node may take to follow a config: that is a few files written, and resources published."""

MAX_FAULTS: Final = 15
"""Of a config, in one answer: a status message is cut off where it gets too long for a header."""

Request = machine_pb2.ApplyConfigurationRequest
Mode = Request.Mode

_USES: Final = {Request.NO_REBOOT: ConfigUse.APPLY, Request.STAGED: ConfigUse.STAGE, Request.TRY: ConfigUse.TRY}
_DETAILS: Final = {
    Request.NO_REBOOT: "Applied configuration without a reboot",
    Request.STAGED: "Staged configuration to be applied after the next reboot",
    Request.TRY: "Applied configuration without a reboot",
}
_UPGRADE_NEEDED: Final = (
    "the extensions have changed: once this config is in force they are staged, and the next upgrade activates them"
)
_NO_V1ALPHA1: Final = (
    "the applied machine configuration doesn't contain v1alpha1 config, "
    "did you mean to patch the machine config instead?"
)


class ConfigService:
    """The method on bytes. `maintenance` says whether anybody who may call it may change the config."""

    def __init__(self, state: State, maintenance: Maintenance) -> None:
        self._state = state
        self._maintenance = maintenance
        self._under_way = anyio.Lock()
        self.service = Service(NAME, unary={"ApplyConfiguration": self._apply})

    async def _apply(self, request: bytes, call: Call) -> Frames:
        """Answer with ApplyConfigurationResponse."""
        asked = parse(Request, request)
        try:
            self._under_way.acquire_nowait()
        except anyio.WouldBlock:
            busy = "another apply configuration is already in progress"
            raise Refusal(Code.FAILED_PRECONDITION, busy) from None
        try:
            answer = await self._answer(asked, call)
        finally:
            self._under_way.release()
        return frame(machine_pb2.ApplyConfigurationResponse(messages=[answer]).SerializeToString())

    async def _answer(self, asked: Request, call: Call) -> machine_pb2.ApplyConfiguration:
        in_maintenance = self._maintenance.on
        if not in_maintenance and Role.ADMIN not in access.roles(call):
            raise Refusal(Code.PERMISSION_DENIED, access.NOT_AUTHORIZED)
        config = await to_thread.run_sync(_checked, asked.data, in_maintenance)
        mode = _mode(asked.mode, in_maintenance=in_maintenance)
        lasts = _trial(asked, in_maintenance=in_maintenance) if mode == Request.TRY else 0
        before = await self._state.find(MachineConfig, machine_config.ID)
        known = before.spec.yaml_marshalled if before is not None else b""
        details = _DETAILS[mode]
        if asked.dry_run:
            changes = await to_thread.run_sync(difference.config_diff, known, config.raw)
            summary = f"{details} (skipped in dry-run).\nConfig diff:\n\n{changes or 'No changes.'}"
            return machine_pb2.ApplyConfiguration(mode=mode, mode_details=f"Dry run summary:\n{summary}")
        wanted = ConfigRequestSpec(use=_USES[mode], seconds=lasts / 1e9, config=config.raw, first=in_maintenance)
        await self._do(wanted)
        if in_maintenance and mode == Request.NO_REBOOT:
            # Who is told that the config is applied may log in at once.
            await self._maintenance.until_left()
        if mode == Request.TRY:
            until = f"will be automatically reverted back in {go_duration.written(lasts)}"
            details += f"\nThe config is applied in 'try' mode and {until}"
        warnings = [_UPGRADE_NEEDED] if known and (await _extensions(known)) != config.extensions else []
        return machine_pb2.ApplyConfiguration(mode=mode, mode_details=details, warnings=warnings)

    async def _do(self, asked: ConfigRequestSpec) -> None:
        """Ask for it and wait for the answer. Raises Refusal if nothing was done, or nobody answers."""
        id = secrets.token_hex(8)

        def answered(event: Event) -> bool:
            return isinstance(event.resource, ConfigStatus) and event.resource.spec.request == id

        try:
            with anyio.fail_after(ANSWER_SECONDS):
                await self._state.modify(ConfigRequest.new(config_request.ID, asked.model_copy(update={"request": id})))
                answer = await self._state.watch_for(ConfigStatus.pointer_to(config_status.ID), answered)
        except TimeoutError:
            problem = "the node did not say what came of it: see `get configstatus`"
            raise Refusal(Code.DEADLINE_EXCEEDED, problem) from None
        assert isinstance(answer.resource, ConfigStatus)
        if answer.resource.spec.refused:
            raise Refusal(Code.FAILED_PRECONDITION, f"nothing was changed: {answer.resource.spec.refused}")


def _checked(text: bytes, in_maintenance: bool) -> Config:
    try:
        return parse_config(text, source="the config")
    except ConfigError as error:
        is_patch = not in_maintenance and _has_other_documents_only(text)
        raise Refusal(Code.INVALID_ARGUMENT, _NO_V1ALPHA1 if is_patch else refusal(error)) from None


def _has_other_documents_only(text: bytes) -> bool:
    stream = yaml_document.read(text, max_bytes=MAX_CONFIG_BYTES)
    kinds = ["kind" in document.fields for document in stream.documents if document.kind != "null"]
    return not stream.faults and bool(kinds) and all(kinds)


def refusal(error: ConfigError) -> str:
    """Return what is told of a config with faults: all of them, a line each, as far as there is room."""
    faults = error.faults
    shown = "".join(f"\n\t* {fault}" for fault in faults[:MAX_FAULTS])
    more = f"\n\t* and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
    return f"{len(faults)} {'error' if len(faults) == 1 else 'errors'} in the config, nothing was changed:{shown}{more}"


def _mode(mode: Mode, *, in_maintenance: bool) -> Mode:
    """Return the mode that a call comes down to. Raises Refusal."""
    if mode == Request.REBOOT and not in_maintenance:
        problem = "the REBOOT mode is not supported, please use AUTO or NO_REBOOT modes instead"
        raise Refusal(Code.UNIMPLEMENTED, problem)
    if mode in (Request.REBOOT, Request.AUTO):
        return Request.NO_REBOOT
    if mode not in _USES:
        raise Refusal(Code.INVALID_ARGUMENT, f"incorrect mode '{mode}' specified for the apply config call")
    return mode


def _trial(asked: Request, *, in_maintenance: bool) -> int:
    """Return how long a trial lasts, in nanoseconds. Raises Refusal."""
    if in_maintenance:
        problem = "there is no config yet to go back to after a trial: apply one in another mode first"
        raise Refusal(Code.FAILED_PRECONDITION, problem)
    lasts = asked.try_mode_timeout.ToNanoseconds() if asked.HasField("try_mode_timeout") else TRIAL_NANOSECONDS
    if not 0 < lasts <= MAX_TRIAL_NANOSECONDS:
        most = go_duration.written(MAX_TRIAL_NANOSECONDS)
        problem = f"a trial of {go_duration.written(lasts)} can't be: its timeout is more than 0s, and at most {most}"
        raise Refusal(Code.INVALID_ARGUMENT, problem)
    return lasts


async def _extensions(raw: bytes) -> tuple[str, ...]:
    config = await to_thread.run_sync(lambda: parse_config(raw, source="the config in force"))
    return config.extensions
