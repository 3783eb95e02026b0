"""ExtensionManifest: what a fetched image turned out to be, and every rule it breaks."""

from __future__ import annotations

import enum

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names
from resources.extension_metadata import ExtensionMetadata


class Verdict(enum.StrEnum):
    """Whether the image may become part of a boot image."""

    VALID = "valid"
    INVALID = "invalid"


class ExtensionFault(Spec):
    """A rule the image breaks, where, and what to do about it."""

    rule: str = field(1, default="")
    path: str = field(2, default="")
    problem: str = field(3, default="")
    remedy: str = field(4, default="")


class ExtensionManifestSpec(Spec):
    """The verdict on one manifest digest; `problem` sums the faults up in a line."""

    image: str = field(1, default="")
    manifest: str = field(2, default="")
    verdict: Verdict = field(3, default=Verdict.INVALID)
    metadata: ExtensionMetadata = field(4, default=ExtensionMetadata())
    problem: str = field(5, default="", omit_empty=True)
    faults: tuple[ExtensionFault, ...] = field(6, default=())


class ExtensionManifest(Resource[ExtensionManifestSpec]):
    """The verdict on a desired extension's image; the id is the extension's."""

    definition = Definition(
        type=f"ExtensionManifests.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        columns=(
            PrintColumn("Name", "{.metadata.name}"),
            PrintColumn("Version", "{.metadata.version}"),
            PrintColumn("Verdict", "{.verdict}"),
            PrintColumn("Problem", "{.problem}"),
        ),
    )
