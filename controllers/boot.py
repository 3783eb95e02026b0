"""Activates the boot image that is installed, and says what the node runs."""

from __future__ import annotations

from anyio import to_thread

from cosi.controller.controller import Controller
from cosi.controller.dependencies import exclusive, weak
from cosi.controller.runtime import Runtime
from resources import boot_image, boot_status
from resources.boot_image import BootImage
from resources.boot_status import BootStatus, BootStatusSpec
from talos.extensions.activation import Activated, ActivationError, ActiveRoot
from talos.extensions.bootimage import BootImage as Installed
from talos.extensions.bootimage import BootImageError
from talos.extensions.slots import Slots


class BootController(Controller):
    """Makes the tree at `root` that of the installed image."""

    name = "runtime.BootController"
    inputs = (weak(BootImage, id=boot_image.ID),)
    outputs = (exclusive(BootStatus),)

    def __init__(self, slots: Slots, root: ActiveRoot) -> None:
        self._slots = slots
        self._root = root

    async def run(self, runtime: Runtime) -> None:
        """Activate at the start, and after each upgrade."""
        async for _ in runtime.reconcile():
            image = await runtime.find(BootImage, boot_image.ID)
            status = await runtime.find(BootStatus, boot_status.ID)
            active = status.spec if status is not None else BootStatusSpec()
            if image is None or not image.spec.name:
                continue
            if active.image == image.spec.name and not active.problem:
                following = active.model_copy(update={"next": image.spec.next})
                await runtime.modify(BootStatus.new(boot_status.ID, following))
                continue
            try:
                installed = await to_thread.run_sync(self._slots.load, image.spec.name)
                activated = await to_thread.run_sync(self._boot, installed)
            except (ActivationError, BootImageError, OSError) as error:
                failed = active.model_copy(update={"problem": str(error), "failed": image.spec.name})
                await runtime.modify(BootStatus.new(boot_status.ID, failed))
                raise  # to be tried again, later each time, unless there is another image to boot
            root, how = str(self._root.path), str(activated)
            count = len(installed.layers)
            runtime.log.info("booted", image=installed.name, extensions=count, root=root, activation=how)
            spec = BootStatusSpec(
                image=installed.name, root=root, activation=how, fallback=image.spec.fallback, next=image.spec.next
            )
            await runtime.modify(BootStatus.new(boot_status.ID, spec))

    def _boot(self, image: Installed) -> Activated:
        """Activate an image; a node that ends in the middle of it finds out when it starts again."""
        self._slots.begin_boot(image)
        activated = self._root.activate(image)
        self._slots.end_boot(image)
        return activated
