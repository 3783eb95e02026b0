"""What a Talos version decides about boot images: where firmware and modules lie, and how things are compressed.

A pre-release counts as its release. Source: pkg/machinery/imager/quirks of siderolabs/talos.
"""

import enum

import msgspec
from semver import Version

from talos.extensions.versions import parse_version

USR_MERGE = Version(1, 10, 0)
"""From here on /lib, /lib64, /bin and /sbin are links into /usr."""
ZSTD = Version(1, 8, 0)
"""From here on zstd compresses what xz did before."""


class Compression(enum.Enum):
    """What layers and archives are compressed with."""

    XZ = "xz"
    ZSTD = "zstd"


class Release(msgspec.Struct, frozen=True):
    """A Talos version as boot images see it; paths are relative to the root."""

    version: Version

    @classmethod
    def parse(cls, talos_version: str) -> "Release":
        """Read a version such as v1.10.0. Raises InvalidVersion."""
        return cls(parse_version(talos_version).finalize_version())

    @property
    def usr_merged(self) -> bool:
        return self.version >= USR_MERGE

    @property
    def compression(self) -> Compression:
        return Compression.ZSTD if self.version >= ZSTD else Compression.XZ

    @property
    def firmware(self) -> str:
        return "usr/lib/firmware" if self.usr_merged else "lib/firmware"

    @property
    def modules(self) -> str:
        return "usr/lib/modules" if self.usr_merged else "lib/modules"
