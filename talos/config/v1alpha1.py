"""The document without a kind: the machine config of old, whose two halves are `machine` and `cluster`.

Talos has hundreds of fields there. Those that a node of this kind could act on are checked; the others are kept as
they are. Directly under `machine`, `cluster` and `machine.install` nothing passes but Talos's fields, those of 1.14 and
the deprecated ones among them, because a misspelt one would silently do nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Final

from pydantic import Field

from talos.config.document import V1ALPHA1
from talos.config.faults import ConfigFault
from talos.config.field_types import Flag, Text, Texts, choice
from talos.config.schema import Section, check
from talos.yaml_node import Node

MACHINE_TYPES: Final = ("controlplane", "worker", "init", "join")


class Install(Section):
    """How the node is put on a disk; `extensions` is read by `talos.config.extensions`."""

    kept: ClassVar[Collection[str] | None] = ("diskSelector", "extensions")

    disk: Text = ""
    image: Text = ""
    extra_kernel_args: tuple[Text, ...] = ()
    wipe: Flag = False
    bootloader: Flag = True
    legacy_bios_support: Flag = Field(default=False, alias="legacyBIOSSupport")
    grub_use_uki_cmdline: Flag = Field(default=False, alias="grubUseUKICmdline")


class Network(Section):
    """The network as it was told before there were documents for it."""

    kept: ClassVar[Collection[str] | None] = None

    hostname: Text = ""
    nameservers: tuple[Text, ...] = ()
    search_domains: tuple[Text, ...] = ()


class Features(Section):
    """What is switched on; only what other documents must not contradict is looked at."""

    kept: ClassVar[Collection[str] | None] = None

    stable_hostname: Flag = False


class Machine(Section):
    """What is of this machine; `registries` and `ca` are read by `talos.config.registries` and `authority`."""

    kept: ClassVar[Collection[str] | None] = (
        "acceptedCAs", "baseRuntimeSpecOverrides", "ca", "controlPlane", "disks", "files", "kernel", "kubelet",
        "logging", "pods", "registries", "seccompProfiles", "systemDiskEncryption", "time", "udev",
    )  # fmt: skip

    type: Annotated[Text, choice(*MACHINE_TYPES, or_nothing=True)] = ""
    token: Text = ""
    cert_sans: tuple[Text, ...] = Field(default=(), alias="certSANs")
    install: Install | None = None
    network: Network | None = None
    features: Features | None = None
    env: Texts | None = None
    sysctls: Texts | None = None
    sysfs: Texts | None = None
    node_labels: Texts | None = None
    node_annotations: Texts | None = None
    node_taints: Texts | None = None


class Cluster(Section):
    """What is of the Kubernetes cluster, which this node has no part in."""

    kept: ClassVar[Collection[str] | None] = (
        "acceptedCAs", "adminKubeconfig", "aggregatorCA", "apiServer", "ca", "controlPlane", "controllerManager",
        "coreDNS", "discovery", "etcd", "externalCloudProvider", "extraManifestHeaders", "inlineManifests", "network",
        "proxy", "scheduler", "serviceAccount",
    )  # fmt: skip

    id: Text = ""
    secret: Text = ""
    cluster_name: Text = ""
    token: Text = ""
    aescbc_encryption_secret: Text = ""
    secretbox_encryption_secret: Text = ""
    extra_manifests: tuple[Text, ...] = ()
    allow_scheduling_on_masters: Flag = False
    allow_scheduling_on_control_planes: Flag = False


class V1Alpha1(Section):
    """The whole document. Its version is checked apart, for want of it is told in words of its own."""

    kept: ClassVar[Collection[str] | None] = ("version",)

    debug: Flag = False
    persist: Flag = True
    machine: Machine | None = None
    cluster: Cluster | None = None


def check_v1alpha1(root: Node, faults: list[ConfigFault]) -> None:
    """Note what is wrong with the document."""
    _check_version(root, faults)
    check(root, V1Alpha1, "", faults)


def _check_version(root: Node, faults: list[ConfigFault]) -> None:
    version = root.get("version")
    if version is None:
        faults.append(ConfigFault(root.line, "version", "missing", f"add `version: {V1ALPHA1}`"))
    elif version.text != V1ALPHA1:
        problem = f'"{version.text}" is not a known version' if version.kind == "scalar" else "not a version"
        faults.append(ConfigFault(version.line, "version", problem, f"write `version: {V1ALPHA1}`"))
