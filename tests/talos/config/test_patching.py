"""Patches change what they speak of, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos import yaml_document, yaml_writer
from talos.config.faults import ConfigError, ConfigFault
from talos.config.patch_delete import MAX_DELETES
from talos.config.patching import apply, load_patch
from talos.config.strategic_merge import MAX_NAMED_ITEMS, Unmergeable, merge
from talos.yaml_builder import MAX_NODES
from talos.yaml_node import Node
from tests.talos.test_yaml_document import plain

CONFIG = """\
# the machine
version: v1alpha1
machine:
  network:
    hostname: hostname1 # a comment
    interfaces:
      - interface: eth0
        dhcp: true
      - deviceSelector: {driver: virtio}
        mtu: 1500
  certSANs: [a]
  install: {disk: /dev/sda, wipe: true}
  sysctls: {x: "1", y: "0"}
cluster:
  network: {podSubnets: [10.244.0.0/16]}
  apiServer: {auditPolicy: {rules: [1]}, extraArgs: {v: "1", w: [a]}}
---
# theirs
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: foo
configFiles:
    - content: hello
      mountPath: /etc/foo
environment:
    - FOO=BAR
---
apiVersion: v1alpha1
kind: RegistryMirrorConfig # kept
name: registry.k8s.io
endpoints: [{url: "http://172.20.0.1:5001"}]
"""


def patched(*patches: str, config: str = CONFIG) -> str:
    loaded = [load_patch(patch.encode(), source=f"patch {number}") for number, patch in enumerate(patches, start=1)]
    return apply(config.encode(), loaded, source="config").decode()


def values(text: str) -> list[object]:
    stream = yaml_document.read(text.encode(), max_bytes=10_000_000)
    assert not stream.faults
    return [plain(document) for document in stream.documents]


def machine(text: str) -> dict[str, object]:
    (document, *_) = values(text)
    assert isinstance(document, dict)
    found = document["machine"]
    assert isinstance(found, dict)
    return found


def faults_of(*patches: str, config: str = CONFIG) -> tuple[ConfigFault, ...]:
    with pytest.raises(ConfigError) as caught:
        patched(*patches, config=config)
    return caught.value.faults


def test_mappings_are_merged_lists_grow_and_single_values_are_replaced() -> None:
    result = machine(patched("machine: {certSANs: [b], install: {image: x}, sysctls: {x: 2, z: 3}, network: null}"))

    assert result["certSANs"] == ["a", "b"]
    assert result["install"] == {"disk": "/dev/sda", "wipe": True, "image": "x"}
    assert result["sysctls"] == {"x": 2, "y": "0", "z": 3}


def test_an_empty_text_and_nothing_change_nothing_but_false_and_zero_do() -> None:
    patch = 'machine: {network: {hostname: ""}, install: {disk: null, wipe: false}, sysctls: {x: 0}, certSANs: []}'

    result = machine(patched(patch))

    assert result["install"] == {"disk": "/dev/sda", "wipe": False}
    assert result["sysctls"] == {"x": 0, "y": "0"}
    assert result["certSANs"] == ["a"]
    assert "hostname: hostname1" in patched(patch)


def test_items_that_have_a_name_are_merged_by_it() -> None:
    patch = """
machine:
  network:
    interfaces:
      - {interface: eth0, dhcp: false, vlans: [{vlanId: 100, addresses: [a]}]}
      - {deviceSelector: {driver: virtio}, mtu: 9000}
      - {interface: eth1}
---
machine: {network: {interfaces: [{interface: eth0, vlans: [{vlanId: 0x64, addresses: [b]}, {vlanId: 101}]}]}}
"""
    network = machine(patched(patch))["network"]

    assert isinstance(network, dict)
    assert network["interfaces"] == [
        {"interface": "eth0", "dhcp": False, "vlans": [{"vlanId": 100, "addresses": ["a", "b"]}, {"vlanId": 101}]},
        {"deviceSelector": {"driver": "virtio"}, "mtu": 9000},
        {"interface": "eth1"},
    ]


def test_some_fields_are_replaced_as_a_whole() -> None:
    patch = """
cluster:
  network: {podSubnets: [10.0.0.0/8]}
  apiServer: {auditPolicy: {kind: Policy}, extraArgs: {v: [x], w: b}}
"""
    (document, *_) = values(patched(patch))

    assert isinstance(document, dict)
    assert document["cluster"] == {
        "network": {"podSubnets": ["10.0.0.0/8"]},
        "apiServer": {"auditPolicy": {"kind": "Policy"}, "extraArgs": {"v": ["x"], "w": "b"}},
    }


def test_documents_are_merged_into_their_own_or_added_behind() -> None:
    patch = """
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: foo
configFiles:
    - {content: hello world, mountPath: /etc/foo}
    - {content: another hello, mountPath: /etc/bar}
environment: [XXX=YYY]
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: bar
environment: [A=B]
"""
    result = values(patched(patch))

    assert result[1] == {
        "apiVersion": "v1alpha1",
        "kind": "ExtensionServiceConfig",
        "name": "foo",
        "configFiles": [
            {"content": "hello world", "mountPath": "/etc/foo"},
            {"content": "another hello", "mountPath": "/etc/bar"},
        ],
        "environment": ["FOO=BAR", "XXX=YYY"],
    }
    assert result[3] == {
        "apiVersion": "v1alpha1",
        "kind": "ExtensionServiceConfig",
        "name": "bar",
        "environment": ["A=B"],
    }


def test_fields_items_and_documents_are_taken_away() -> None:
    patch = """
apiVersion: v1alpha1
kind: RegistryMirrorConfig
name: registry.k8s.io
$patch: delete
---
apiVersion: v1alpha1
kind: ExtensionServiceConfig
name: foo
configFiles:
  - content: hello
    $patch: delete
  - {content: hello2, mountPath: /etc/foo2}
---
version: v1alpha1
machine:
  network:
    hostname: {$patch: delete}
    interfaces:
      - interface: eth0
        $patch: delete
      - {interface: eth0, dummy: true}
"""
    result = values(patched(patch))
    network = machine(patched(patch))["network"]

    assert len(result) == 2
    assert result[1] == {
        "apiVersion": "v1alpha1",
        "kind": "ExtensionServiceConfig",
        "name": "foo",
        "configFiles": [{"content": "hello2", "mountPath": "/etc/foo2"}],
        "environment": ["FOO=BAR"],
    }
    assert network == {
        "interfaces": [{"deviceSelector": {"driver": "virtio"}, "mtu": 1500}, {"interface": "eth0", "dummy": True}]
    }


def test_one_patch_may_speak_of_a_document_more_than_once() -> None:
    head = "apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: registry.k8s.io\n"
    patch = f"{head}endpoints: {{$patch: delete}}\n---\n{head}endpoints: [{{url: 'http://b'}}]\n---\n{head}x: 1\n"

    assert values(patched(patch))[2] == {
        "apiVersion": "v1alpha1",
        "kind": "RegistryMirrorConfig",
        "name": "registry.k8s.io",
        "endpoints": [{"url": "http://b"}],
        "x": 1,
    }


def test_what_is_not_there_need_not_be_taken_away() -> None:
    patch = "apiVersion: v1alpha1\nkind: KubeFlannelCNIConfig\n$patch: delete\n---\nmachine: {token: {$patch: delete}}"

    assert patched(patch) == CONFIG


def test_documents_that_are_not_changed_stay_as_they_were_written() -> None:
    kept = CONFIG[CONFIG.index("---\n# theirs") :]

    result = patched("machine: {certSANs: [b]}")

    assert result.endswith(kept)
    assert result.startswith("version: v1alpha1\nmachine:\n    network:\n        hostname: hostname1\n")


def test_a_patch_that_says_what_is_so_leaves_every_byte() -> None:
    assert patched("machine: {install: {wipe: true}, sysctls: {x: '1'}}\n---\nversion: v1alpha1") == CONFIG


def test_a_document_with_a_directive_is_not_put_behind_one_that_is_written_anew() -> None:
    config = "version: v1alpha1\n...\n%YAML 1.2\n---\napiVersion: v1\nkind: X\n"

    result = patched("debug: true", config=config)

    assert result == "version: v1alpha1\ndebug: true\n---\napiVersion: v1\nkind: X\n"


@pytest.mark.parametrize(
    "patch",
    [
        '[{"op": "replace", "path": "/machine/network/hostname", "value": "foo"}]',
        "- op: replace\n  path: /machine/network/hostname\n  value: foo\n",
    ],
)
def test_a_list_is_a_json_patch_in_yaml_as_well(patch: str) -> None:
    config = CONFIG[: CONFIG.index("---")]

    assert values(patched(patch, config=config)) == values(config.replace("hostname1", "foo"))


def test_patches_of_both_kinds_are_applied_in_their_order() -> None:
    add = '[{"op": "add", "path": "/machine", "value": {"certSANs": ["a"]}}]'

    result = patched(add, "machine: {certSANs: [b]}", add, config="version: v1alpha1\n---\n")

    assert result == "version: v1alpha1\nmachine:\n    certSANs:\n        - a\n---\n"


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


names = st.sampled_from(["machine", "install", "certSANs", "a", "b"])
single = st.booleans() | st.integers(-9, 9) | st.sampled_from(["x", "y", "1", "yes", ""])
mappings = st.recursive(
    st.dictionaries(names, single, max_size=3),
    lambda below: st.dictionaries(names, below | single, max_size=3),
    max_leaves=12,
)
with_lists = st.recursive(
    st.dictionaries(names, single | st.lists(single, max_size=3), max_size=3),
    lambda below: st.dictionaries(names, below | single | st.lists(single, max_size=3), max_size=3),
    max_leaves=12,
)


def written(value: object) -> str:
    return yaml_writer.write(yaml_writer.node_of(value))


@given(with_lists)
def test_a_patch_that_says_nothing_changes_no_byte(config: dict[str, object]) -> None:
    assert patched("version: null", config=written(config)) == written(config)


@given(mappings, mappings)
def test_merging_twice_is_merging_once(config: dict[str, object], patch: dict[str, object]) -> None:
    try:
        once = patched(written(patch), config=written(config))
    except ConfigError:
        return  # a mapping met a single value: told in a test of its own

    assert patched(written(patch), config=once) == once


@given(with_lists, with_lists)
def test_what_a_patch_does_not_mention_stays(config: dict[str, object], patch: dict[str, object]) -> None:
    try:
        (result,) = values(patched(written(patch), config=written(config)))
    except ConfigError:
        return

    assert isinstance(result, dict)
    assert {key: value for key, value in result.items() if key not in patch} == {
        key: value for key, value in config.items() if key not in patch
    }


@given(with_lists, with_lists)
def test_a_json_patch_of_the_whole_is_the_whole(config: dict[str, object], value: dict[str, object]) -> None:
    patch = json.dumps([{"op": "replace", "path": "", "value": value}])

    assert values(patched(patch, config=written(config))) == [value]
