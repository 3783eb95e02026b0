"""Activates the boot image that is installed, and says what the node runs."""

from __future__ import annotations

from pathlib import Path

from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_image, boot_status
from resources.boot_image import BootImage
from resources.boot_status import BootStatus, BootStatusSpec
from talos.extensions.activation import ActivationError, activate
from talos.extensions.bootimage import BootImageError
from talos.extensions.slots import Slots

ACTIVATION = "unpacked read-only"
"""How the layers become a tree here; mounting them needs privileges that a node may not have."""


class BootController(Controller):
    """Makes the tree at `root` that of the installed image."""

    name = "runtime.BootController"
    inputs = (weak(BootImage, id=boot_image.ID),)
    outputs = (exclusive(BootStatus),)

    def __init__(self, slots: Slots, *, root: Path) -> None:
        self._slots = slots
        self._root = root

    async def run(self, runtime: Runtime) -> None:
        """Activate at the start, and after each upgrade."""
        async for _ in runtime.reconcile():
            image = await runtime.find(BootImage, boot_image.ID)
            status = await runtime.find(BootStatus, boot_status.ID)
            active = status.spec if status is not None else BootStatusSpec()
            if image is None or (active.image == image.spec.name and not active.problem):
                continue
            try:
                installed = await to_thread.run_sync(self._slots.current)
                if installed is None or installed.name != image.spec.name:
                    continue
                await to_thread.run_sync(activate, installed, self._root)
            except (ActivationError, BootImageError, OSError) as error:
                failed = active.model_copy(update={"problem": str(error)})
                await runtime.modify(BootStatus.new(boot_status.ID, failed))
                raise  # to be tried again, later each time
            runtime.log.info("booted", image=installed.name, extensions=len(installed.layers), root=str(self._root))
            spec = BootStatusSpec(image=installed.name, root=str(self._root), activation=ACTIVATION)
            await runtime.modify(BootStatus.new(boot_status.ID, spec))
