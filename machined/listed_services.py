"""What talosctl finds as services on a node: its own by Talos's ids, and those of extensions, which are not run."""

from __future__ import annotations

from typing import Final

from resources.extension_service import ExtensionService
from talos.log_ring import text_of

MACHINED: Final = "machined"
APID: Final = "apid"
CONTROLLER_RUNTIME: Final = "controller-runtime"


def service_id(service: ExtensionService) -> str:
    """Return the id that Talos gives a service of an extension; one whose name can't be read has its file's."""
    return f"ext-{service.spec.name or service.id}"


def why_not_run(service: ExtensionService) -> str:
    """Return, in a line, what is wrong with a service of an extension, or else why it does not run."""
    return text_of(service.spec.problem or service.spec.status, {})
