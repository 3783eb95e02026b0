"""What inspecting an image comes to: what it says of itself, and every rule that it breaks."""

import msgspec

from talos.extensions.faults import Fault
from talos.extensions.manifest import ExtensionManifest


class Verdict(msgspec.Struct, frozen=True):
    """The manifest, where it can be read, and all faults; an extension without faults may be installed."""

    manifest: ExtensionManifest | None
    faults: tuple[Fault, ...]

    @property
    def passed(self) -> bool:
        return self.manifest is not None and not self.faults
