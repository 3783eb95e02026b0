"""Publishes the extensions that are active, as Talos does: one ExtensionStatus for each entry of extensions.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_status
from resources.boot_status import BootStatus
from resources.extension_metadata import ExtensionMetadata
from resources.extension_status import ExtensionStatus, ExtensionStatusSpec
from talos.extensions.bootimage import read_extensions
from talos.extensions.extensions_file import IMAGE_SUFFIX

EXTENSIONS_FILE: Final = "etc/extensions.yaml"
"""Where the active tree says what it is made of."""


class ExtensionStatusController(Controller):
    """Reads the active tree's extensions.yaml."""

    name = "runtime.ExtensionStatusController"
    inputs = (weak(BootStatus, id=boot_status.ID),)
    outputs = (exclusive(ExtensionStatus),)

    async def run(self, runtime: Runtime) -> None:
        """Publish what is active after each boot."""
        async for _ in runtime.reconcile():
            status = await runtime.find(BootStatus, boot_status.ID)
            if status is None or not status.spec.image:
                continue
            active = await to_thread.run_sync(read_extensions, Path(status.spec.root) / EXTENSIONS_FILE)
            async with runtime.tracked_outputs(ExtensionStatus):
                for extension in active:
                    metadata = ExtensionMetadata.model_validate(extension.metadata.model_dump())
                    spec = ExtensionStatusSpec(image=extension.image, metadata=metadata)
                    await runtime.modify(ExtensionStatus.new(extension.image.removesuffix(IMAGE_SUFFIX), spec))
