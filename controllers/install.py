"""Builds boot images: the first one by itself, every later one when an upgrade is asked for.

The first start installs what is valid, as soon as each extension has either passed or failed: a node with some of its
extensions is better than one with none. An upgrade is all or nothing, because it could take away what runs: while one
extension is not valid, it is refused, and the node goes on with what it has. The plan always says how desired, staged
and active differ, and why. An image that does not boot gives way to the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_image, boot_status, machine_config, upgrade_request
from resources.boot_image import BootImage, BootImageSpec
from resources.boot_status import BootStatus
from resources.extension_image import ExtensionImage, FetchState
from resources.extension_manifest import ExtensionManifest, Verdict
from resources.extension_plan import ExtensionPlan, ExtensionPlanSpec, PlanState
from resources.extension_spec import ExtensionSpec
from resources.machine_config import MachineConfig
from resources.upgrade_request import UpgradeRequest
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImage as Installed
from talos.extensions.bootimage import BootImageError, BootLayer
from talos.extensions.manifest import Metadata
from talos.extensions.reference import Reference
from talos.extensions.slots import Slots

PASSING_ATTEMPTS: Final = 5
"""How often a fetch may fail for a reason that may go away before nobody waits for it: some four seconds."""


class Candidate(msgspec.Struct, frozen=True):
    """A desired extension, and how far it has come."""

    id: str
    image: str
    state: PlanState
    manifest: str = ""
    message: str = ""
    metadata: Metadata | None = None
    """Set if the extension is valid."""
    request: str = ""
    """The upgrade for which the image was last looked up."""

    def waits_for(self, request: str) -> bool:
        """Tell whether it is still to be seen what an upgrade would install."""
        moved = self.state is PlanState.STAGED and self.request != request and not Reference.parse(self.image).pinned
        return moved or self.state is PlanState.PENDING


class InstallController(Controller):
    """Installs boot images made of blobs in `store` into `slots`."""

    name = "runtime.InstallController"
    inputs = (
        weak(MachineConfig, id=machine_config.ID),
        weak(ExtensionSpec),
        weak(ExtensionImage),
        weak(ExtensionManifest),
        weak(UpgradeRequest, id=upgrade_request.ID),
        weak(BootStatus, id=boot_status.ID),
    )
    outputs = (exclusive(BootImage), exclusive(ExtensionPlan))

    def __init__(self, store: BlobStore, slots: Slots) -> None:
        self._store = store
        self._slots = slots

    async def run(self, runtime: Runtime) -> None:
        """Install when it is time to, and keep the plan up to date."""
        async for _ in runtime.reconcile():
            installed = await self._bootable(runtime)
            if installed is not None:
                await self._publish(runtime, installed)  # what is installed boots, whatever the config says
            if await runtime.find(MachineConfig, machine_config.ID) is None:
                continue
            candidates = await _candidates(runtime)
            if installed is None:
                installed = await self._first_install(runtime, candidates)
            if installed is not None:
                installed = await self._upgrade_if_asked(runtime, candidates, installed)
                await self._publish(runtime, installed)
            async with runtime.tracked_outputs(ExtensionPlan):
                for plan in plans(candidates, installed):
                    await runtime.modify(plan)

    async def _bootable(self, runtime: Runtime) -> Installed | None:
        """Return the image that is to boot; the one before where it is damaged, or did not come up healthy."""
        name = await to_thread.run_sync(self._slots.current_name)
        status = await runtime.find(BootStatus, boot_status.ID)
        if name is None:
            return None
        try:
            installed = await to_thread.run_sync(self._slots.current)
            if status is None or status.spec.failed != name:
                return installed
            reason = status.spec.problem
        except BootImageError as error:
            installed, reason = None, str(error)
        other = await to_thread.run_sync(self._slots.fall_back, name, reason)
        if other is None:
            if installed is None:
                raise BootImageError(self._slots.directory / name, reason, "there is no other image to boot")
            return installed
        runtime.log.warning("fell back", image=other.name, given_up=name, reason=reason)
        fallback = f"{name} was given up for {other.name}: {reason}"
        await runtime.modify(BootImage.new(boot_image.ID, BootImageSpec()), _updating(fallback=fallback))
        return other

    async def _publish(self, runtime: Runtime, installed: Installed) -> None:
        rename = _updating(name=installed.name, warnings=installed.warnings)
        await runtime.modify(BootImage.new(boot_image.ID, BootImageSpec()), rename)

    async def _first_install(self, runtime: Runtime, candidates: Sequence[Candidate]) -> Installed | None:
        if any(candidate.state is PlanState.PENDING for candidate in candidates):
            return None
        left_out = [candidate.id for candidate in candidates if candidate.state is PlanState.FAILED]
        try:
            installed = await self._install(candidates)
        except (BootImageError, OSError) as error:
            outcome = f"the extensions could not be installed: {error}"
            await runtime.modify(BootImage.new(boot_image.ID, BootImageSpec()), _updating(outcome=outcome))
            raise  # to be tried again, later each time
        runtime.log.info("installed", image=installed.name, layers=len(installed.layers), left_out=left_out)
        return installed

    async def _upgrade_if_asked(
        self, runtime: Runtime, candidates: Sequence[Candidate], installed: Installed
    ) -> Installed:
        asked = await runtime.find(UpgradeRequest, upgrade_request.ID)
        known = await runtime.find(BootImage, boot_image.ID)
        if asked is None or (known is not None and known.spec.request == asked.spec.request):
            return installed
        if asked.spec.rollback:
            return await self._roll_back(runtime, installed, asked.spec.request)
        if any(candidate.waits_for(asked.spec.request) for candidate in candidates):
            return installed  # the answer comes when all have been looked up again, and passed or failed
        failed = [candidate for candidate in candidates if candidate.state is PlanState.FAILED]
        upgraded = False
        if failed:
            outcome = f"upgrade refused, nothing was changed: {failed[0].id}: {failed[0].message}"
        else:
            try:
                before, installed = installed, await self._install(candidates)
            except (BootImageError, OSError) as error:
                outcome = f"upgrade failed, nothing was changed: {error}"
            else:
                upgraded = True
                outcome = _outcome(before, installed)
        runtime.log.info("upgrade", upgraded=upgraded, outcome=outcome)
        answer = BootImageSpec(name=installed.name, request=asked.spec.request, upgraded=upgraded, outcome=outcome)
        await runtime.modify(BootImage.new(boot_image.ID, answer))
        return installed

    async def _roll_back(self, runtime: Runtime, installed: Installed, request: str) -> Installed:
        other = await to_thread.run_sync(self._slots.other)
        if other is None:
            outcome = "rollback refused, nothing was changed: there is no other image to boot"
        else:
            await to_thread.run_sync(self._slots.select, other.name)
            outcome = f"rolled back from {installed.name} to {other.name}"
        runtime.log.info("rollback", outcome=outcome)
        name = (other or installed).name
        answer = BootImageSpec(name=name, request=request, upgraded=other is not None, outcome=outcome)
        await runtime.modify(BootImage.new(boot_image.ID, answer))
        return other or installed

    async def _install(self, candidates: Sequence[Candidate]) -> Installed:
        layers = [
            BootLayer(each.id, each.image, each.manifest, each.metadata)
            for each in candidates
            if each.metadata is not None
        ]
        return await to_thread.run_sync(self._slots.install, layers, self._store)


def _updating(**changes: object) -> Callable[[BootImage], BootImage]:
    return lambda image: image.with_spec(image.spec.model_copy(update=changes))


def plans(candidates: Sequence[Candidate], installed: Installed | None) -> Sequence[ExtensionPlan]:
    """Return what the next upgrade would do with each extension, wanted or installed. Pure."""
    layers = installed.layers if installed else ()
    running = {layer.extension_id: layer.manifest_digest for layer in layers}
    result = []
    for candidate in candidates:
        state, message = candidate.state, candidate.message
        if state is PlanState.STAGED and running.get(candidate.id) == candidate.manifest:
            state, message = PlanState.ACTIVE, ""
        spec = ExtensionPlanSpec(
            image=candidate.image,
            state=state,
            wanted=candidate.manifest,
            running=running.get(candidate.id, ""),
            message=message,
        )
        result.append(ExtensionPlan.new(candidate.id, spec))
    wanted = {candidate.id for candidate in candidates}
    for layer in layers:
        if layer.extension_id not in wanted:
            message = "no longer in the config; stays active until `machined upgrade`"
            spec = ExtensionPlanSpec(
                image=layer.image, state=PlanState.REMOVED, running=layer.manifest_digest, message=message
            )
            result.append(ExtensionPlan.new(layer.extension_id, spec))
    return result


async def _candidates(runtime: Runtime) -> Sequence[Candidate]:
    wanted = [item for item in await runtime.list(ExtensionSpec) if not item.metadata.tearing_down]
    images = {item.id: item for item in await runtime.list(ExtensionImage)}
    verdicts = {item.id: item for item in await runtime.list(ExtensionManifest)}
    return [
        _candidate(item, images.get(item.id), verdicts.get(item.id))
        for item in sorted(wanted, key=lambda item: item.spec.index)
    ]


def _candidate(wanted: ExtensionSpec, image: ExtensionImage | None, verdict: ExtensionManifest | None) -> Candidate:
    id, reference = wanted.id, wanted.spec.image
    if image is None:
        return Candidate(id, reference, PlanState.PENDING, message="waits to be fetched")
    if image.spec.attempts:
        # While it is tried again after a failure, the failure is still what there is to say.
        settled = not image.spec.passing or image.spec.attempts >= PASSING_ATTEMPTS
        remedy = f" ({image.spec.remedy})" if image.spec.remedy else ""
        state = PlanState.FAILED if settled else PlanState.PENDING
        return Candidate(id, reference, state, message=f"{image.spec.problem}{remedy}")
    manifest = image.spec.manifest
    if image.spec.state is FetchState.FETCHING:
        return Candidate(id, reference, PlanState.PENDING, message="is being fetched")
    if verdict is None or verdict.spec.manifest != manifest:
        return Candidate(id, reference, PlanState.PENDING, manifest, "is being validated")
    if verdict.spec.verdict is Verdict.INVALID:
        return Candidate(id, reference, PlanState.FAILED, manifest, verdict.spec.problem)
    metadata = Metadata.model_validate(verdict.spec.metadata.model_dump())
    staged = "activates with `machined upgrade`"
    return Candidate(id, reference, PlanState.STAGED, manifest, staged, metadata, image.spec.request)


def _outcome(before: Installed, after: Installed) -> str:
    old = {(layer.extension_id, layer.manifest_digest) for layer in before.layers}
    new = {(layer.extension_id, layer.manifest_digest) for layer in after.layers}
    if old == new:
        return "upgraded: nothing had changed"
    changed = {id for id, _ in old - new} & {id for id, _ in new - old}
    added, removed = len(new - old) - len(changed), len(old - new) - len(changed)
    return f"upgraded: {added} added, {removed} removed, {len(changed)} changed, {len(old & new)} kept"
