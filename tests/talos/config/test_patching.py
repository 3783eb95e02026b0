"""Patches change what they speak of, and nothing else."""

import pytest

from tests.talos.config.patched import CONFIG, machine, patched, values


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
