"""Looks into fetched images and publishes what they are, with every rule they break.

An image is looked into once: the verdict belongs to its manifest digest and is kept until the digest changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from anyio import to_thread

from cosi.controller.dependencies import exclusive, mapped_destroy_ready, primary
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Metadata, Pointer
from resources.extension_image import ExtensionImage, FetchState
from resources.extension_manifest import ExtensionFault, ExtensionManifest, ExtensionManifestSpec
from resources.extension_manifest import Verdict as Decision
from resources.extension_metadata import ExtensionMetadata
from talos.extensions.blobs import BlobCorrupt, BlobMissing, BlobStore
from talos.extensions.faults import Fault, summary
from talos.extensions.image import load_image
from talos.extensions.inspection import inspect
from talos.extensions.verdict import Verdict


class ExtensionValidateController(QController):
    """Judges the images in `store` by the rules of a Talos version."""

    name = "runtime.ExtensionValidateController"
    inputs = (primary(ExtensionImage), mapped_destroy_ready(ExtensionManifest))
    outputs = (exclusive(ExtensionManifest),)

    def __init__(self, store: BlobStore, *, talos_version: str) -> None:
        self._store = store
        self._talos_version = talos_version

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Look at an image again when its verdict can go."""
        return (ExtensionImage.pointer_to(changed.id),)

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Keep a verdict on an image for as long as it is here."""
        image = await runtime.find(ExtensionImage, item.id)
        if image is None:
            return
        if image.metadata.tearing_down:
            if await runtime.remove(ExtensionManifest.pointer_to(image.id)):
                await runtime.remove_finalizer(item)
        elif image.spec.state is FetchState.READY:
            await runtime.add_finalizer(item)
            await self._judge(runtime, image)

    async def _judge(self, runtime: QRuntime, image: ExtensionImage) -> None:
        known = await runtime.find(ExtensionManifest, image.id)
        if known is not None and known.spec.manifest == image.spec.manifest:
            return
        verdict = await to_thread.run_sync(self._inspect, image.spec.manifest)
        spec = _published(image, verdict)
        log = runtime.log.bind(extension=image.id)
        if verdict.faults:
            log.warning("extension refused", problem=spec.problem, faults=len(spec.faults))
        else:
            log.info("extension is valid", name=spec.metadata.name, version=spec.metadata.version)
        await runtime.modify(ExtensionManifest.new(image.id, spec))

    def _inspect(self, manifest: str) -> Verdict:
        try:
            image = load_image(self._store, manifest)
        except (BlobMissing, BlobCorrupt) as error:
            return Verdict(None, (Fault("store", "", str(error), "remove the extension and add it again"),))
        return inspect(image, self._store, talos_version=self._talos_version)


def _published(image: ExtensionImage, verdict: Verdict) -> ExtensionManifestSpec:
    faults = tuple(
        ExtensionFault(rule=fault.rule, path=fault.path, problem=fault.problem, remedy=fault.remedy)
        for fault in verdict.faults
    )
    return ExtensionManifestSpec(
        image=image.spec.image,
        manifest=image.spec.manifest,
        verdict=Decision.INVALID if faults else Decision.VALID,
        metadata=_metadata(verdict),
        problem=summary(verdict.faults),
        faults=faults,
    )


def _metadata(verdict: Verdict) -> ExtensionMetadata:
    if verdict.manifest is None:
        return ExtensionMetadata()
    return ExtensionMetadata.model_validate(verdict.manifest.metadata.model_dump())
