"""Brings the images of desired extensions into the local store, and says how far each has come.

A few are fetched at once, so a registry that does not answer holds up nobody else. A fetch that fails is tried again
with backoff, for ever: a missing tag may be pushed, a registry may come back. It is tried again at once when the
config says something else of registries, or somebody asks for a pull or an upgrade, and not before a registry wants to
be asked again. An upgrade asks again where each tag points, as it may have moved; what a digest pins is not asked for
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from time import monotonic
from typing import Final

import anyio
from anyio import to_thread

from cosi.controller.dependencies import exclusive, mapped, mapped_destroy_ready, primary
from cosi.controller.outcome import Retry
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Pointer
from resources import pull_request, registries_config, upgrade_request
from resources.extension_image import ExtensionImage, ExtensionImageSpec, FetchState
from resources.extension_spec import ExtensionSpec
from resources.pull_request import PullRequest
from resources.registries_config import RegistriesConfig
from resources.upgrade_request import UpgradeRequest
from talos.extensions.blobs import BlobCorrupt, BlobMissing, BlobStore, Hold
from talos.extensions.credentials import Credentials, InvalidCredentials
from talos.extensions.image import PulledImage, load_image
from talos.extensions.oci import Platform
from talos.extensions.pauses import Pauses
from talos.extensions.pull import DIRECTLY, Progress, pull
from talos.extensions.pull_errors import PullError
from talos.extensions.reference import Reference
from talos.extensions.trust import TrustPolicy

MAX_CONCURRENT_FETCHES: Final = 4
MAX_AWAITED_SECONDS: Final = 1.0
"""What a registry may ask for and the first start still waits for it: about what backoff takes between attempts."""
PROGRESS_SECONDS: Final = 0.2
"""How often progress is published while bytes flow."""


class ExtensionFetchController(QController):
    """Fetches into `store`; relative layout paths start at `base_directory`."""

    name = "runtime.ExtensionFetchController"
    inputs = (
        primary(ExtensionSpec),
        mapped_destroy_ready(ExtensionImage),
        mapped(UpgradeRequest, id=upgrade_request.ID),
        mapped(PullRequest, id=pull_request.ID),
        mapped(RegistriesConfig, id=registries_config.ID),
    )
    outputs = (exclusive(ExtensionImage),)
    concurrency = MAX_CONCURRENT_FETCHES

    def __init__(
        self,
        store: BlobStore,
        *,
        base_directory: Path,
        platform: Platform,
        trust: TrustPolicy | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._base_directory = base_directory
        self._platform = platform
        self._trust = trust
        self._pauses = Pauses(now)
        # Between a blob's last byte and the status that names it nobody may sweep.
        self._accounting = anyio.Lock()

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Look at an extension again when its image can go, and at all of them when something else changes."""
        if changed.type != ExtensionImage.definition.type:
            return [extension.pointer for extension in await runtime.list(ExtensionSpec)]
        return (ExtensionSpec.pointer_to(changed.id),)

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Fetch the image of an extension unless it is here, or let it go."""
        extension = await runtime.find(ExtensionSpec, item.id)
        if extension is None:
            return
        if extension.metadata.tearing_down:
            await self._drop(runtime, extension)
            return
        await runtime.add_finalizer(item)
        known = await runtime.find(ExtensionImage, item.id)
        before = known.spec if known is not None else ExtensionImageSpec(image=extension.spec.image)
        asked = await runtime.find(UpgradeRequest, upgrade_request.ID)
        request = asked.spec.request if asked is not None else before.request
        moved = before.request != request and not Reference.parse(before.image).pinned
        if before.state is not FetchState.READY or moved:
            async with runtime.until_teardown(item):
                await self._fetch(runtime, extension, before.model_copy(update={"state": FetchState.FETCHING}), request)

    async def _fetch(
        self, runtime: QRuntime, extension: ExtensionSpec, status: ExtensionImageSpec, request: str
    ) -> None:
        await _publish(runtime, extension.id, status)
        with self._store.holding() as held:
            try:
                pulled = await self._pull(runtime, extension, status, held)
            except (PullError, InvalidCredentials, OSError) as error:
                await _publish(runtime, extension.id, _failed(status, error, request))
                if isinstance(error, PullError) and error.retry_after is not None:
                    runtime.requeue_after(error.retry_after)
                raise Retry(str(error)) from error
            async with self._accounting:
                if await _is_last(runtime, extension.id):  # else what is of use to those on their way would go too
                    await self._sweep(runtime, holding=extension.id)
                await _publish(runtime, extension.id, _ready(status, pulled, request))
        runtime.log.info(
            "image fetched",
            extension=extension.id,
            digest=pulled.digest,
            platform=pulled.platform,
            bytes=pulled.size,
        )

    async def _pull(
        self, runtime: QRuntime, extension: ExtensionSpec, status: ExtensionImageSpec, held: Hold
    ) -> PulledImage:
        """Pull once, publishing progress meanwhile."""
        credentials = await to_thread.run_sync(Credentials.from_environment)
        said = await runtime.find(RegistriesConfig, registries_config.ID)
        latest: list[Progress] = []
        outcome: PulledImage | PullError | OSError
        async with anyio.create_task_group() as tasks:

            async def publish_progress() -> None:
                while True:
                    await anyio.sleep(PROGRESS_SECONDS)
                    if latest:
                        progress = latest.pop()
                        latest.clear()
                        change = {"fetched": progress.done_bytes, "size": progress.total_bytes}
                        await _publish(runtime, extension.id, status.model_copy(update=change))

            tasks.start_soon(publish_progress)
            try:
                outcome = await pull(
                    Reference.parse(extension.spec.image),
                    self._store,
                    platform=self._platform,
                    base_directory=self._base_directory,
                    credentials=credentials,
                    progress=latest.append,
                    held=held,
                    registries=said.spec.registries if said is not None else DIRECTLY,
                    pauses=self._pauses,
                    trust=self._trust,
                )
            except (PullError, OSError) as error:
                outcome = error  # raised outside the task group, which would wrap it
            tasks.cancel_scope.cancel()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _drop(self, runtime: QRuntime, extension: ExtensionSpec) -> None:
        """Let an extension go: first its image, then our hold on it; then what only it needed leaves the store."""
        if not await runtime.remove(ExtensionImage.pointer_to(extension.id)):
            return  # whoever holds the image lets go of it, and that brings us here again
        await runtime.remove_finalizer(extension.pointer)
        async with self._accounting:
            await self._sweep(runtime)

    async def _sweep(self, runtime: QRuntime, *, holding: str = "") -> None:
        """Remove what no image needs: of those let go, of tags that moved, and what a node that was killed left.

        What we hold of the image of this id stays, and of its past goes. Where an image is damaged, all stays.
        """
        images = [item.spec for item in await runtime.list(ExtensionImage) if item.id != holding]
        try:
            await to_thread.run_sync(self._keep_only, [image.manifest for image in images if image.manifest])
        except (BlobMissing, BlobCorrupt, OSError) as error:
            runtime.log.warning("the store is not cleaned up", problem=str(error))

    def _keep_only(self, manifests: list[str]) -> None:
        needed = {blob for manifest in manifests for blob in load_image(self._store, manifest).blobs}
        self._store.keep_only(needed)


async def _is_last(runtime: QRuntime, id: str) -> bool:
    """Tell whether all images but this one are here."""
    here = {item.id for item in await runtime.list(ExtensionImage) if item.spec.state is FetchState.READY}
    return all(extension.id in {*here, id} for extension in await runtime.list(ExtensionSpec))


async def _publish(runtime: QRuntime, id: str, spec: ExtensionImageSpec) -> None:
    await runtime.modify(ExtensionImage.new(id, spec))


def _failed(
    before: ExtensionImageSpec, error: PullError | InvalidCredentials | OSError, request: str
) -> ExtensionImageSpec:
    if isinstance(error, PullError):
        soon = error.retry_after is None or error.retry_after <= MAX_AWAITED_SECONDS
        problem, remedy, passing = error.problem, error.remedy, error.transient and soon
    elif isinstance(error, OSError):
        problem, remedy, passing = f"can't be stored: {error.strerror}", "make room, or correct the permissions", False
    else:
        problem, remedy, passing = str(error), "", False
    return ExtensionImageSpec(
        image=before.image,
        state=FetchState.FAILED,
        problem=problem,
        remedy=remedy,
        attempts=before.attempts + 1,
        passing=passing,
        request=request,
    )


def _ready(before: ExtensionImageSpec, pulled: PulledImage, request: str) -> ExtensionImageSpec:
    return ExtensionImageSpec(
        image=before.image,
        state=FetchState.READY,
        digest=pulled.digest,
        manifest=pulled.manifest_digest,
        platform=pulled.platform,
        size=pulled.size,
        fetched=pulled.size,
        request=request,
    )
