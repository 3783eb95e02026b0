"""A patch that does not fit is told with its place, and changes nothing."""

import pytest

from talos import yaml_writer
from talos.config.faults import ConfigError
from talos.config.patch_delete import MAX_DELETES
from talos.config.strategic_merge import MAX_NAMED_ITEMS, Unmergeable, merge
from talos.yaml_builder import MAX_NODES
from talos.yaml_node import Node
from tests.talos.config.patched import faults_of, patched


@pytest.mark.parametrize(
    ("patch", "line", "path", "problem"),
    [
        ("", 1, "", "the patch is empty"),
        ("# nothing\n---\n", 1, "", "the patch is empty"),
        ("a: [", 1, "", "not YAML"),
        ("text", 1, "", "the document is a single value"),
        ("[]\n---\na: 1", 1, "", "the document is a list"),
        ("kind: X", 1, "apiVersion", "missing beside kind"),
        ("machine: [1]", 1, "machine", "this is a list, the config has a mapping here"),
        ("machine:\n  certSANs: b", 2, "machine.certSANs", "this is a single value, the config has a list here"),
        ("machine:\n  network:\n    interfaces:\n    - interface: eth0\n      dhcp: {}", 5, "", "this is a mapping"),
        ("machine:\n  kubelet:\n    image: {$patch: delete}", 3, "machine.kubelet.image", "there is nothing here to"),
        ("machine: {certSANs: [{a: b, $patch: delete}]}", 1, "machine.certSANs", "no item of the list has this a"),
        ("machine: {certSANs: [{$patch: delete}]}", 1, "machine.certSANs", "it is not said which item goes"),
        ("machine: {disks: [{a: {$patch: delete}}]}", 1, "machine.disks[].a", "nothing inside an item of a list"),
        ("machine: {$patch: replace}", 1, "machine.$patch", "unknown"),
        ("$patch: delete", 1, "", "the machine config itself can't be deleted"),
        ('[{"op": "remove", "path": "/machine"}]', 1, "", "JSON patches are for configs of one document only"),
        ('[{"op": "swap"}]', 1, "[0].op", "missing or unknown"),
    ],
)
def test_a_patch_that_does_not_fit_is_told_with_its_place(patch: str, line: int, path: str, problem: str) -> None:
    (fault,) = faults_of(patch)

    assert fault.problem.startswith(problem)
    assert fault.line == line
    assert fault.path == path or not path


def test_all_that_does_not_fit_is_told_at_once_and_by_the_patch_it_is_in() -> None:
    with pytest.raises(ConfigError, match=r"^patch 2: line 1: machine: this is a list.* \(and 1 more fault\)$"):
        patched("debug: true", "machine: [1]\n---\ncluster: 1\n")


def test_a_json_patch_must_leave_a_mapping() -> None:
    (fault,) = faults_of('[{"op": "replace", "path": "", "value": 1}]', config="version: v1alpha1\n")

    assert fault.problem == "the config would be a single value"


def test_a_config_that_cannot_be_read_is_called_by_its_name() -> None:
    with pytest.raises(ConfigError, match=r"^config: line 1: not YAML"):
        patched("debug: true", config="a: [")


def test_there_are_bounds() -> None:
    items = ", ".join(f"{{interface: e{number}}}" for number in range(MAX_NAMED_ITEMS))
    deletes = ", ".join(f"{{a: {number}, $patch: delete}}" for number in range(MAX_DELETES + 1))

    (named,) = faults_of(f"machine: {{network: {{interfaces: [{items}]}}}}")
    (deleted,) = faults_of(f"machine: {{certSANs: [{deletes}]}}")

    assert named.problem == f"the list would have more than {MAX_NAMED_ITEMS} items"
    assert deleted.problem == f"{MAX_DELETES + 1} things to take away, at most {MAX_DELETES} are allowed"


def test_a_config_does_not_grow_without_end() -> None:
    half = Node.mapping({"a": Node.sequence([yaml_writer.node_of("x")] * (MAX_NODES // 2))})

    with pytest.raises(Unmergeable, match=f"the config would have more than {MAX_NODES} values"):
        merge(half, half, "X")
