"""What an extension says of itself: the `metadata` of its manifest, shared by several resources.

Faithful to Talos's pkg/machinery/extensions (Metadata), field numbers included.
"""

from __future__ import annotations

from cosi.resource.spec import Spec, field


class Constraint(Spec):
    """A range of versions, as `>= v1.0.0`."""

    version: str = field(1, default="")


class Compatibility(Spec):
    """What the extension runs with."""

    talos: Constraint = field(1, default=Constraint())


class ExtensionMetadata(Spec):
    """Name, version and what else the manifest tells."""

    name: str = field(1, default="")
    version: str = field(2, default="")
    author: str = field(3, default="")
    description: str = field(4, default="")
    compatibility: Compatibility = field(5, default=Compatibility())
    extra_info: str = field(6, default="", omit_empty=True)
