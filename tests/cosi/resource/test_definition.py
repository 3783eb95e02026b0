"""A type's names follow from its own, as the Go runtime derives them."""

from __future__ import annotations

import pytest

from cosi.resource.definition import Definition


def _names(type: str, *aliases: str, automatic: bool = True) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return Definition(type=type, default_namespace="", aliases=aliases, automatic_aliases=automatic).names()


@pytest.mark.parametrize(
    ("type", "given", "display", "shown", "only_understood"),
    [
        (
            "ResourceDefinitions.meta.cosi.dev",
            ("api-resources",),
            "ResourceDefinition",
            ("api-resources", "resourcedefinition", "rd", "rds"),
            ("resourcedefinitions", "resourcedefinitions.meta", "resourcedefinitions.meta.cosi"),
        ),
        (
            "Namespaces.meta.cosi.dev",
            ("ns",),
            "Namespace",
            ("ns", "namespace"),
            ("namespaces", "namespaces.meta", "namespaces.meta.cosi"),
        ),
        (
            "ExtensionStatuses.runtime.talos.dev",
            ("extensions",),
            "ExtensionStatus",
            ("extensions", "extensionstatus", "es"),
            ("extensionstatuses", "extensionstatuses.runtime", "extensionstatuses.runtime.talos"),
        ),
        (
            "KernelParamStatuses.runtime.talos.dev",
            (),
            "KernelParamStatus",
            ("kernelparamstatus", "kps"),
            ("kernelparamstatuses", "kernelparamstatuses.runtime", "kernelparamstatuses.runtime.talos"),
        ),
        (
            "MachineConfigs.config.talos.dev",
            ("mc",),
            "MachineConfig",
            ("mc", "machineconfig", "mc", "mcs"),
            ("machineconfigs", "machineconfigs.config", "machineconfigs.config.talos"),
        ),
        ("Services.v1alpha1.talos.dev", ("svc",), "Service", ("svc", "service"), ("services", "services.v1alpha1",
         "services.v1alpha1.talos")),
        ("Words.single", (), "Word", ("word",), ("words",)),
    ],
)  # fmt: skip
def test_names_follow_from_the_type(
    type: str, given: tuple[str, ...], display: str, shown: tuple[str, ...], only_understood: tuple[str, ...]
) -> None:
    assert _names(type, *given) == (display, shown, only_understood + shown)


def test_automatic_aliases_can_be_turned_off() -> None:
    names = _names("ResourceDefinitions.meta.cosi.dev", "api-resources", automatic=False)

    assert names == ("ResourceDefinition", ("api-resources",), ("api-resources",))


def test_the_id_of_a_definition_is_the_type_in_lower_case() -> None:
    definition = Definition(type="ExtensionStatuses.runtime.talos.dev", default_namespace="runtime")

    assert definition.id == "extensionstatuses.runtime.talos.dev"


@pytest.mark.parametrize(
    ("type", "problem"),
    [
        ("", "no suffix"),
        (".", "no suffix"),
        ("a.", "no suffix"),
        (".cosi.dev", "CamelCase"),
        ("test.cosi.dev", "CamelCase"),
        ("tests.cosi.dev", "CamelCase"),
        ("1Tests.cosi.dev", "CamelCase"),
        ("Te_sts.cosi.dev", "CamelCase"),
        ("Tests\n.cosi.dev", "CamelCase"),
        ("Tests.cosi_dev", "suffix of lower-case words"),
        ("Tests.Cosi.dev", "suffix of lower-case words"),
        ("Tests.cosi..dev", "suffix of lower-case words"),
        ("Tests.cosi.dev\n", "suffix of lower-case words"),
        ("Test.cosi.dev", "plural"),
    ],
)
def test_a_malformed_type_is_refused_by_name(type: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        _names(type)

    assert repr(type) in str(refused.value)
    assert "Greetings.example.dev" in str(refused.value)
