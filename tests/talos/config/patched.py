"""A config to patch, and what patches make of it."""

import pytest

from talos import yaml_document
from talos.config.faults import ConfigError, ConfigFault
from talos.config.patching import apply, load_patch
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
    """Return what patches make of a config."""
    loaded = [load_patch(patch.encode(), source=f"patch {number}") for number, patch in enumerate(patches, start=1)]
    return apply(config.encode(), loaded, source="config").decode()


def values(text: str) -> list[object]:
    """Return the plain values of documents."""
    stream = yaml_document.read(text.encode(), max_bytes=10_000_000)
    assert not stream.faults
    return [plain(document) for document in stream.documents]


def machine(text: str) -> dict[str, object]:
    """Return what is under `machine`."""
    (document, *_) = values(text)
    assert isinstance(document, dict)
    found = document["machine"]
    assert isinstance(found, dict)
    return found


def faults_of(*patches: str, config: str = CONFIG) -> tuple[ConfigFault, ...]:
    """Return the faults that patches are refused for."""
    with pytest.raises(ConfigError) as caught:
        patched(*patches, config=config)
    return caught.value.faults
