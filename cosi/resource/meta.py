"""The two resource types that describe all others: Namespace and ResourceDefinition, both in namespace `meta`.

Faithful to the Go runtime's pkg/resource/meta; `talosctl get` resolves every type through them.
"""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field

NAMESPACE: Final = "meta"
OWNER: Final = "meta"
"""Who owns namespaces and resource definitions: the runtime itself."""


class NamespaceSpec(Spec):
    """What a namespace is for."""

    description: str = field(1, default="")


class Namespace(Resource[NamespaceSpec]):
    """A namespace that was announced. Resources may live in others, too."""

    definition = Definition(type="Namespaces.meta.cosi.dev", default_namespace=NAMESPACE, aliases=("ns",))


class PrintColumnSpec(Spec):
    """One more column of the table."""

    name: str = field(1, default="")
    json_path: str = field(2, default="", alias="jsonPath")


class ResourceDefinitionSpec(Spec):
    """A resource type as it is announced to clients."""

    type: str = field(1, default="")
    display_type: str = field(2, default="")
    default_namespace: str = field(3, default="")
    aliases: tuple[str, ...] = field(4, default=())
    all_aliases: tuple[str, ...] = field(5, default=())
    print_columns: tuple[PrintColumnSpec, ...] = field(6, default=())
    sensitive: int = field(7, default=0)

    def yaml_value(self) -> object:
        """Return the YAML's values; sensitivity is a number on the wire, and a word only where it is set."""
        shown = super().yaml_value()
        assert isinstance(shown, dict)
        if shown.pop("sensitive"):
            shown["sensitivity"] = "sensitive"
        return shown


class ResourceDefinition(Resource[ResourceDefinitionSpec]):
    """A registered resource type."""

    definition = Definition(
        type="ResourceDefinitions.meta.cosi.dev",
        default_namespace=NAMESPACE,
        aliases=("api-resources",),
        columns=(PrintColumn("Aliases", "{.aliases[:]}"),),
    )


def describe(definition: Definition) -> ResourceDefinition:
    """Return the ResourceDefinition that announces a type. Raises ValueError if the definition is malformed."""
    names = definition.names()
    spec = ResourceDefinitionSpec(
        type=definition.type,
        display_type=names.display_type,
        default_namespace=definition.default_namespace,
        aliases=names.aliases,
        all_aliases=names.all_aliases,
        print_columns=tuple(
            PrintColumnSpec(name=column.name, json_path=column.json_path) for column in definition.columns
        ),
        sensitive=int(definition.sensitive),
    )
    return ResourceDefinition.new(definition.id, spec)
