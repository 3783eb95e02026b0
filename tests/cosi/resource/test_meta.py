"""Namespaces and resource definitions are what the Go runtime's are, byte for byte on the wire."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cosi._pb.v1alpha1 import meta_pb2
from cosi.resource import meta
from cosi.resource.definition import Definition, PrintColumn

_TEXT = st.text(max_size=20)
_TEXTS = st.lists(_TEXT, max_size=4)


@given(_TEXT)
def test_a_namespace_is_encoded_as_a_go_peer_encodes_it(description: str) -> None:
    theirs = meta_pb2.NamespaceSpec(description=description).SerializeToString()

    assert meta.NamespaceSpec(description=description).to_proto() == theirs
    assert meta.NamespaceSpec.from_proto(theirs).description == description


@given(_TEXT, _TEXT, _TEXT, _TEXTS, _TEXTS, st.lists(st.tuples(_TEXT, _TEXT), max_size=3), st.booleans())
def test_a_resource_definition_is_encoded_as_a_go_peer_encodes_it(
    type: str,
    display: str,
    namespace: str,
    aliases: list[str],
    all_aliases: list[str],
    columns: list[tuple[str, str]],
    sensitive: bool,
) -> None:
    theirs = meta_pb2.ResourceDefinitionSpec(
        resource_type=type,
        display_type=display,
        default_namespace=namespace,
        aliases=aliases,
        all_aliases=all_aliases,
        print_columns=[
            meta_pb2.ResourceDefinitionSpec.PrintColumn(name=name, json_path=json_path) for name, json_path in columns
        ],
        sensitivity=meta_pb2.ResourceDefinitionSpec.SENSITIVE if sensitive else None,
    ).SerializeToString()
    ours = meta.ResourceDefinitionSpec(
        type=type,
        display_type=display,
        default_namespace=namespace,
        aliases=tuple(aliases),
        all_aliases=tuple(all_aliases),
        print_columns=tuple(meta.PrintColumnSpec(name=name, json_path=json_path) for name, json_path in columns),
        sensitive=int(sensitive),
    )

    assert ours.to_proto() == theirs
    assert meta.ResourceDefinitionSpec.from_proto(theirs) == ours


def test_a_definition_describes_a_type() -> None:
    described = meta.describe(
        Definition(
            type="ExtensionStatuses.runtime.talos.dev",
            default_namespace="runtime",
            aliases=("extensions",),
            columns=(PrintColumn("Name", "{.metadata.name}"), PrintColumn("Version", "{.metadata.version}")),
        )
    )

    assert described.id == "extensionstatuses.runtime.talos.dev"
    assert described.metadata.namespace == "meta"
    assert described.metadata.type == "ResourceDefinitions.meta.cosi.dev"
    assert described.spec.display_type == "ExtensionStatus"
    assert described.spec.aliases == ("extensions", "extensionstatus", "es")
    assert described.spec.all_aliases[:2] == ("extensionstatuses", "extensionstatuses.runtime")
    assert [(column.name, column.json_path) for column in described.spec.print_columns] == [
        ("Name", "{.metadata.name}"),
        ("Version", "{.metadata.version}"),
    ]


def test_the_types_that_describe_describe_themselves() -> None:
    described = meta.describe(meta.ResourceDefinition.definition)

    assert described.spec.all_aliases == (
        "resourcedefinitions", "resourcedefinitions.meta", "resourcedefinitions.meta.cosi",
        "api-resources", "resourcedefinition", "rd", "rds",
    )  # fmt: skip
    assert meta.describe(meta.Namespace.definition).spec.aliases == ("ns", "namespace")


def test_sensitivity_is_shown_only_where_it_is_set() -> None:
    plain = meta.describe(Definition(type="Paths.test.cosi.dev", default_namespace="default")).spec
    secret = meta.describe(Definition(type="Keys.test.cosi.dev", default_namespace="default", sensitive=True)).spec

    assert "sensitiv" not in plain.to_yaml()
    assert secret.to_yaml().endswith("sensitivity: sensitive\n")
    assert list(secret.yaml_value()) == [  # type: ignore[call-overload]
        "type", "displayType", "defaultNamespace", "aliases", "allAliases", "printColumns", "sensitivity",
    ]  # fmt: skip
