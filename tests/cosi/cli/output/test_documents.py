"""`-o yaml` is talosctl's, character for character."""

import pytest

from cosi.cli.output import OutputError
from tests.cosi.cli.output.samples import GVISOR, printed

GVISOR_YAML = """\
node: 172.20.0.2
metadata:
    namespace: runtime
    type: ExtensionStatuses.runtime.talos.dev
    id: 000.ghcr.io-talos-systems-gvisor-54b831d
    version: 1
    owner: runtime.ExtensionStatusController
    phase: running
    created: 2022-02-10T18:25:04Z
    updated: 2022-02-10T18:25:04Z
spec:
    image: 000.ghcr.io-talos-systems-gvisor-54b831d.sqsh
    metadata:
        name: gvisor
        version: 20220117.0-v1.0.0
        author: Andrew Rynhard
        description: |
            This system extension provides gVisor using containerd's runtime handler.
        compatibility:
            talos:
                version: '>= v1.0.0'
"""

CONFIG = "version: v1alpha1\nmachine:\n    type: worker\n---\nkind: HostnameConfig\n"


def test_an_extension_status_prints_as_in_the_documentation_of_talos() -> None:
    assert printed("yaml", (GVISOR, "created")) == GVISOR_YAML


def test_documents_are_separated_and_name_their_event_when_watching() -> None:
    text = printed("yaml", (GVISOR, "created"), (GVISOR, "destroyed"), with_events=True)

    first, second = text.split("---\n")
    assert first == GVISOR_YAML.replace("metadata:", "event: created\nmetadata:", 1)
    assert second == GVISOR_YAML.replace("metadata:", "event: destroyed\nmetadata:", 1)


def test_labels_annotations_and_finalizers_appear_when_there_are_any_sorted_by_key() -> None:
    record = GVISOR._replace(
        labels={"b": "2", "a": "true"}, annotations={"note": "x: y"}, finalizers=("late", "early"), yaml_spec="{}\n"
    )

    text = printed("yaml", (record, "created"))

    assert text.endswith(
        "    updated: 2022-02-10T18:25:04Z\n"
        "    labels:\n        a: true\n        b: 2\n"
        "    annotations:\n        note: 'x: y'\n"
        "    finalizers:\n        - late\n        - early\n"
        "spec: {}\n"
    )


def test_metadata_is_quoted_for_syntax_only_and_an_empty_owner_leaves_no_trailing_space() -> None:
    text = printed("yaml", (GVISOR._replace(id="123", namespace="a: b", owner="", yaml_spec="x\n"), "created"))

    assert "    namespace: 'a: b'\n" in text
    assert "    id: 123\n" in text
    assert "    owner:\n" in text


def test_a_tombstone_has_a_null_spec() -> None:
    assert printed("yaml", (GVISOR._replace(yaml_spec=""), "destroyed")).endswith("spec: null\n")


@pytest.mark.parametrize(
    ("annotations", "yaml_spec"),
    [
        ({}, CONFIG),  # before Talos 1.9: the documents themselves
        (
            {"talos.dev/yaml-spec": ""},  # since: one YAML string
            "|\n" + "".join(f"    {line}\n" for line in CONFIG.splitlines()),
        ),
    ],
)
def test_a_machine_config_is_one_string_however_it_came(annotations: dict[str, str], yaml_spec: str) -> None:
    record = GVISOR._replace(
        type="MachineConfigs.config.talos.dev", id="v1alpha1", annotations=annotations, yaml_spec=yaml_spec
    )

    text = printed("yaml", (record, "created"))

    assert text.endswith(
        "spec: |\n    version: v1alpha1\n    machine:\n        type: worker\n    ---\n    kind: HostnameConfig\n"
    )


def test_a_time_before_1970_and_the_zero_time_of_go_print() -> None:
    text = printed("yaml", (GVISOR._replace(created_ns=-62135596800 * 10**9, updated_ns=-1), "created"))

    assert "    created: 0001-01-01T00:00:00Z\n    updated: 1969-12-31T23:59:59Z\n" in text


def test_a_time_out_of_range_is_refused() -> None:
    with pytest.raises(OutputError, match="ns after 1970 is out of range"):
        printed("yaml", (GVISOR._replace(created_ns=10**40), "created"))


def test_a_spec_that_is_no_yaml_names_the_resource_and_the_place() -> None:
    with pytest.raises(OutputError) as refusal:
        printed("yaml", (GVISOR._replace(yaml_spec="a: b: c\n"), "created"))

    assert str(refusal.value) == (
        "the spec of ExtensionStatuses.runtime.talos.dev(runtime/000.ghcr.io-talos-systems-gvisor-54b831d) "
        "cannot be printed: YAML line 1, column 5: mapping values are not allowed in this context"
    )
