"""Builds boot images: the first one by itself, every later one when an upgrade is asked for.

The first start installs what is valid, as soon as each extension has either passed or failed: a node with some of its
extensions is better than one with none. An upgrade is all or nothing, because it could take away what runs: while one
extension is not valid, it is refused, and the node goes on with what it has. One that is only to be staged is complete
on disk and boots when the node starts again; until then the node runs what it ran. The plan always says how desired,
staged and active differ, and why. An image that does not boot gives way to the one before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_image, boot_status, machine_config, upgrade_request
from resources.boot_image import BootImage, BootImageSpec
from resources.boot_status import BootStatus
from resources.candidate import Candidate, candidate_of, plans
from resources.extension_image import ExtensionImage
from resources.extension_manifest import ExtensionManifest
from resources.extension_plan import ExtensionPlan, PlanState
from resources.extension_spec import ExtensionSpec
from resources.machine_config import MachineConfig
from resources.upgrade_request import UpgradeRequest, UpgradeRequestSpec
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImage as Installed
from talos.extensions.bootimage import BootImageError, BootLayer
from talos.extensions.slots import Slots


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
            upcoming = await self._upcoming(runtime)
            async with runtime.tracked_outputs(ExtensionPlan):
                for plan in plans(candidates, installed, upcoming):
                    await runtime.modify(plan)

    async def _bootable(self, runtime: Runtime) -> Installed | None:
        """Return the image that is to run; the other where it is damaged, or did not come up healthy."""
        known = await runtime.find(BootImage, boot_image.ID)
        told = known.spec.name if known is not None else None
        name = told or await to_thread.run_sync(self._slots.current_name)
        status = await runtime.find(BootStatus, boot_status.ID)
        if name is None:
            return None
        try:
            installed = await to_thread.run_sync(self._slots.load, name)
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
        await runtime.modify(
            BootImage.new(boot_image.ID, BootImageSpec()), _updating(name=other.name, next="", fallback=fallback)
        )
        return other

    async def _upcoming(self, runtime: Runtime) -> Installed | None:
        """Return the image that boots when the node starts again, where it is another one than runs, and whole."""
        known = await runtime.find(BootImage, boot_image.ID)
        if known is not None and known.spec.next:
            with suppress(BootImageError):
                return await to_thread.run_sync(self._slots.load, known.spec.next)
        return None

    async def _publish(self, runtime: Runtime, installed: Installed) -> None:
        rename = _updating(name=installed.name, warnings=installed.warnings)
        await runtime.modify(BootImage.new(boot_image.ID, BootImageSpec()), rename)

    async def _first_install(self, runtime: Runtime, candidates: Sequence[Candidate]) -> Installed | None:
        if any(candidate.state is PlanState.PENDING for candidate in candidates):
            return None
        left_out = [candidate.id for candidate in candidates if candidate.state is PlanState.FAILED]
        try:
            installed = await self._install(candidates, None)
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
            return await self._roll_back(runtime, installed, asked.spec)
        if any(candidate.waits_for(asked.spec.request) for candidate in candidates):
            return installed  # the answer comes when all have been looked up again, and passed or failed
        failed = [candidate for candidate in candidates if candidate.state is PlanState.FAILED]
        new = None
        if failed:
            outcome = f"upgrade refused, nothing was changed: {failed[0].id}: {failed[0].message}"
        else:
            try:
                new = await self._install(candidates, installed.name)
                outcome = _outcome(installed, new)
            except (BootImageError, OSError) as error:
                outcome = f"upgrade failed, nothing was changed: {error}"
        return await self._answer(runtime, installed, new, asked.spec, outcome)

    async def _roll_back(self, runtime: Runtime, installed: Installed, asked: UpgradeRequestSpec) -> Installed:
        known = await runtime.find(BootImage, boot_image.ID)
        boots = known.spec.next if known is not None and known.spec.next else installed.name
        other = await to_thread.run_sync(self._slots.other_than, boots)
        if other is None:
            outcome = "rollback refused, nothing was changed: there is no other image to boot"
        else:
            await to_thread.run_sync(self._slots.select, other.name)
            outcome = f"rolled back from {boots} to {other.name}"
        return await self._answer(runtime, installed, other, asked, outcome)

    async def _answer(
        self, runtime: Runtime, running: Installed, new: Installed | None, asked: UpgradeRequestSpec, outcome: str
    ) -> Installed:
        """Say what came of a request, `new` if it was granted; return the image that is to run now."""
        known = await runtime.find(BootImage, boot_image.ID)
        if new is None:
            name, following = running.name, known.spec.next if known is not None else ""
        elif asked.stage and new.name != running.name:
            name, following = running.name, new.name
            outcome += "; activates at the next boot"
        else:
            name, following = new.name, ""
        runtime.log.info("rollback" if asked.rollback else "upgrade", granted=new is not None, outcome=outcome)
        answer = BootImageSpec(
            name=name, next=following, request=asked.request, upgraded=new is not None, outcome=outcome
        )
        await runtime.modify(BootImage.new(boot_image.ID, answer))
        return running if new is None or following else new

    async def _install(self, candidates: Sequence[Candidate], active: str | None) -> Installed:
        layers = [
            BootLayer(each.id, each.image, each.manifest, each.metadata)
            for each in candidates
            if each.metadata is not None
        ]
        return await to_thread.run_sync(self._slots.install, layers, self._store, active)


def _updating(**changes: object) -> Callable[[BootImage], BootImage]:
    return lambda image: image.with_spec(image.spec.model_copy(update=changes))


async def _candidates(runtime: Runtime) -> Sequence[Candidate]:
    wanted = [item for item in await runtime.list(ExtensionSpec) if not item.metadata.tearing_down]
    images = {item.id: item for item in await runtime.list(ExtensionImage)}
    verdicts = {item.id: item for item in await runtime.list(ExtensionManifest)}
    return [
        candidate_of(item, images.get(item.id), verdicts.get(item.id))
        for item in sorted(wanted, key=lambda item: item.spec.index)
    ]


def _outcome(before: Installed, after: Installed) -> str:
    old = {(layer.extension_id, layer.manifest_digest) for layer in before.layers}
    new = {(layer.extension_id, layer.manifest_digest) for layer in after.layers}
    if old == new:
        return "upgraded: nothing had changed"
    changed = {id for id, _ in old - new} & {id for id, _ in new - old}
    added, removed = len(new - old) - len(changed), len(old - new) - len(changed)
    return f"upgraded: {added} added, {removed} removed, {len(changed)} changed, {len(old & new)} kept"
