"""ConfigDocument: a document of the machine config in force, without its secrets.

The MachineConfig itself is for administrators; this is what everybody else may see of it.
"""

from __future__ import annotations

from typing import Final, Self

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names
from talos import yaml_writer
from talos.config.document import Document
from talos.config.machine_config import MachineConfig
from talos.config.redaction import without_secrets

_SEPARATOR: Final = "."  # which is in no kind, so that no two documents share an id


class ConfigDocumentSpec(Spec):
    """What a document calls itself, whether this node checks its kind, and the document as YAML."""

    kind: str = field(1, default="")
    api_version: str = field(2, default="", omit_empty=True)
    name: str = field(3, default="", omit_empty=True)
    known: bool = field(4, default=False)
    document: str = field(5, default="")


class ConfigDocument(Resource[ConfigDocumentSpec]):
    """A document. The id is its kind, and its name behind a dot where it has one: it says the same in every config."""

    # Without automatic aliases: `cd` is short for ControllerDefinitions.
    definition = Definition(
        type=f"ConfigDocuments.{names.DOMAIN}",
        default_namespace=names.CONFIG,
        aliases=("configdocs", "configdoc", "configdocument", "configdocuments"),
        automatic_aliases=False,
        columns=(
            PrintColumn("Kind", "{.kind}"),
            PrintColumn("Name", "{.name}"),
            PrintColumn("Known", "{.known}"),
        ),
    )

    @classmethod
    def all_of(cls, config: MachineConfig) -> tuple[Self, ...]:
        """Return the resources of a config's documents. Takes seconds for the largest configs."""
        shown = without_secrets([document.root for document in config.documents])
        return tuple(
            cls._of(document, yaml_writer.write(root)) for document, root in zip(config.documents, shown, strict=True)
        )

    @classmethod
    def _of(cls, document: Document, text: str) -> Self:
        spec = ConfigDocumentSpec(
            kind=document.kind,
            api_version=document.api_version,
            name=document.name,
            known=document.known,
            document=text,
        )
        return cls.new(_SEPARATOR.join(filter(None, (document.kind, document.name))), spec)
