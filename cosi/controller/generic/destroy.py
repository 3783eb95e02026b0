"""Finishes what somebody has torn down: destroys resources of a type that nobody owns and nobody holds any more.

A client that only tears down need not wait for the finalizers. Faithful to the Go runtime's
pkg/controller/generic/destroy.
"""

from __future__ import annotations

from cosi.controller.dependencies import primary, shared
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.metadata import Pointer
from cosi.resource.resource import AnyResource


class Destroy(QController):
    """Destroys the torn down resources of a type, unless a controller owns them: it does that itself."""

    def __init__(self, of: type[AnyResource], *, namespace: str | None = None, concurrency: int = 1) -> None:
        self.name = f"Destroy[{of.definition.type}]"
        self.inputs = (primary(of, namespace=namespace),)
        self.outputs = (shared(of),)
        self.concurrency = concurrency

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Destroy a resource if its time has come."""
        found = await runtime.find(item)
        if found is None:
            return
        metadata = found.metadata
        if metadata.tearing_down and not metadata.owner and not metadata.finalizers:
            runtime.log.info("destroyed", item=str(item))
            await runtime.remove(item, owner="")
