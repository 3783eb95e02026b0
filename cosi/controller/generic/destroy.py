"""Finishes what somebody has torn down: destroys resources of a type that nobody owns and nobody holds any more.

A client that only tears down need not wait for the finalizers. Faithful to the Go runtime's
pkg/controller/generic/destroy.
"""

from __future__ import annotations

from contextlib import suppress

from cosi.controller.dependencies import Output, OutputSharing, primary
from cosi.controller.qcontroller import QController
from cosi.controller.qruntime import QRuntime
from cosi.resource.definition import Definition
from cosi.resource.metadata import Kind, Pointer
from cosi.resource.resource import AnyResource
from cosi.state import errors


class Destroy(QController):
    """Destroys the torn down resources of a type, unless a controller owns them: it does that itself."""

    def __init__(
        self, of: type[AnyResource] | Definition, *, namespace: str | None = None, concurrency: int = 1
    ) -> None:
        definition = of if isinstance(of, Definition) else of.definition
        kind = Kind(definition.default_namespace if namespace is None else namespace, definition.type)
        self.name = f"Destroy[{definition.type}]"
        self.inputs = (primary(kind),)
        self.outputs = (Output(definition.type, OutputSharing.SHARED),)
        self.concurrency = concurrency

    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Destroy a resource if its time has come."""
        # A cache may show one that is torn down while there is a new one of its name.
        found = await runtime.uncached.find(item)
        if found is None:
            return
        metadata = found.metadata
        if metadata.tearing_down and not metadata.owner and not metadata.finalizers:
            # Somebody may have been faster: to destroy it, or to hold it after all.
            with suppress(errors.NotFound, errors.PendingFinalizers):
                await runtime.destroy(item, owner="")
                runtime.log.info("destroyed", item=str(item))
