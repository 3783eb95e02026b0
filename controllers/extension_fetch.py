"""Brings the images of desired extensions into the local store, and says how far each has come.

Each image has a task of its own, so a registry that does not answer holds up nobody else. A fetch that fails is tried
again with backoff, for ever: a missing tag may be pushed, a registry may come back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup

from cosi.backoff import Backoff
from cosi.controller.controller import Controller
from cosi.controller.dependencies import destroy_ready, exclusive, strong
from cosi.controller.runtime import Runtime
from cosi.state import errors
from resources.extension_image import ExtensionImage, ExtensionImageSpec, FetchState
from resources.extension_spec import ExtensionSpec
from talos.extensions.blobs import BlobStore
from talos.extensions.credentials import Credentials, InvalidCredentials
from talos.extensions.image import PulledImage, load_image
from talos.extensions.oci import Platform
from talos.extensions.pull import Progress, pull
from talos.extensions.pull_errors import PullError
from talos.extensions.reference import Reference

MAX_CONCURRENT_FETCHES: Final = 4
PROGRESS_SECONDS: Final = 0.2
"""How often progress is published while bytes flow."""


class ExtensionFetchController(Controller):
    """Fetches into `store`; relative layout paths start at `base_directory`."""

    name = "runtime.ExtensionFetchController"
    inputs = (strong(ExtensionSpec), destroy_ready(ExtensionImage))
    outputs = (exclusive(ExtensionImage),)

    def __init__(self, store: BlobStore, *, base_directory: Path, platform: Platform) -> None:
        self._store = store
        self._base_directory = base_directory
        self._platform = platform
        self._slots = anyio.Semaphore(MAX_CONCURRENT_FETCHES)

    async def run(self, runtime: Runtime) -> None:
        """Keep one fetch going for each desired extension that is not here yet."""
        fetches: dict[str, _Fetch] = {}
        async with anyio.create_task_group() as tasks:
            async for _ in runtime.reconcile():
                for extension in await runtime.list(ExtensionSpec):
                    if extension.metadata.tearing_down:
                        if extension.id in fetches:
                            await fetches.pop(extension.id).stop()
                        await self._drop(runtime, extension)
                    elif extension.id not in fetches:
                        await runtime.add_finalizer(extension.pointer)
                        fetches[extension.id] = self._start(tasks, runtime, extension)

    def _start(self, tasks: TaskGroup, runtime: Runtime, extension: ExtensionSpec) -> _Fetch:
        fetch = _Fetch()

        async def run() -> None:
            with fetch.scope:
                await self._fetch_until_ready(runtime, extension)
            fetch.ended.set()

        tasks.start_soon(run)
        return fetch

    async def _fetch_until_ready(self, runtime: Runtime, extension: ExtensionSpec) -> None:
        image = extension.spec.image
        known = await runtime.find(ExtensionImage, extension.id)
        if known is not None and known.spec.state is FetchState.READY:
            return  # from before this controller was restarted
        log = runtime.log.bind(extension=extension.id)
        backoff = Backoff()
        status = ExtensionImageSpec(image=image)
        while True:
            try:
                async with self._slots:
                    status = status.model_copy(update={"state": FetchState.FETCHING})
                    await _publish(runtime, extension.id, status)
                    pulled = await self._pull(runtime, extension, status)
            except (PullError, InvalidCredentials, OSError) as error:
                delay = backoff.next()
                status = _failed(image, status.attempts + 1, error)
                log.warning("fetch failed", error=str(error), attempts=status.attempts, retry_in=round(delay, 1))
                await _publish(runtime, extension.id, status)
                await anyio.sleep(delay)
            else:
                await _publish(runtime, extension.id, _ready(image, pulled))
                log.info("image fetched", digest=pulled.digest, platform=pulled.platform, bytes=pulled.size)
                return

    async def _pull(self, runtime: Runtime, extension: ExtensionSpec, status: ExtensionImageSpec) -> PulledImage:
        """Pull once, publishing progress meanwhile."""
        credentials = await to_thread.run_sync(Credentials.from_environment)
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
                )
            except (PullError, OSError) as error:
                outcome = error  # raised outside the task group, which would wrap it
            tasks.cancel_scope.cancel()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _drop(self, runtime: Runtime, extension: ExtensionSpec) -> None:
        """Let an extension go: first its image, then our hold on it; then what only it needed leaves the store."""
        image = ExtensionImage.pointer_to(extension.id)
        try:
            if not await runtime.teardown(image):
                return  # whoever holds the image lets go of it, and its destroy-ready event brings us here again
            await runtime.destroy(image)
        except errors.NotFound:
            pass
        await runtime.remove_finalizer(extension.pointer)
        kept = [item.spec.manifest for item in await runtime.list(ExtensionImage) if item.spec.manifest]
        await to_thread.run_sync(self._keep_only, kept)

    def _keep_only(self, manifests: list[str]) -> None:
        needed = {blob for manifest in manifests for blob in load_image(self._store, manifest).blobs}
        self._store.keep_only(needed)


class _Fetch:
    """One extension's fetch: a scope to cancel it by, and whether it has ended."""

    def __init__(self) -> None:
        self.scope = anyio.CancelScope()
        self.ended = anyio.Event()

    async def stop(self) -> None:
        """Cancel the fetch and wait until nothing of it can write any more."""
        self.scope.cancel()
        await self.ended.wait()


async def _publish(runtime: Runtime, id: str, spec: ExtensionImageSpec) -> None:
    await runtime.modify(ExtensionImage.new(id, spec))


def _failed(image: str, attempts: int, error: PullError | InvalidCredentials | OSError) -> ExtensionImageSpec:
    if isinstance(error, PullError):
        problem, remedy, passing = error.problem, error.remedy, error.transient
    elif isinstance(error, OSError):
        problem, remedy, passing = f"can't be stored: {error.strerror}", "make room, or correct the permissions", False
    else:
        problem, remedy, passing = str(error), "", False
    return ExtensionImageSpec(
        image=image,
        state=FetchState.FAILED,
        problem=problem,
        remedy=remedy,
        attempts=attempts,
        passing=passing,
    )


def _ready(image: str, pulled: PulledImage) -> ExtensionImageSpec:
    return ExtensionImageSpec(
        image=image,
        state=FetchState.READY,
        digest=pulled.digest,
        manifest=pulled.manifest_digest,
        platform=pulled.platform,
        size=pulled.size,
        fetched=pulled.size,
    )
