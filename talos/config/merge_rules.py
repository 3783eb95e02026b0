"""Where a strategic merge does not simply add to a list: lists that are replaced, and lists whose items have a name.

Talos keeps these with its types, as `merge:"replace"` tags and as Merge functions; here they are one table by kind and
path. A `*` stands for any one key, `[]` for any item of a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from talos.config.document import V1ALPHA1

Steps = tuple[str, ...]
"""A path: keys, and `[]` for an item of a list."""

Rule = Literal["replace"] | tuple[str, ...]
"""The keys by which items are the same, the first that an item has counting; or that the new value takes all."""

_REPLACED: Final[Mapping[str, Sequence[str]]] = {
    V1ALPHA1: (
        "cluster.apiServer.auditPolicy",
        "cluster.network.podSubnets",
        "cluster.network.serviceSubnets",
        "cluster.*.extraArgs.*",
        "machine.kubelet.extraArgs.*",
    ),
    "BGPInstanceConfig": ("advertise", "importRoutes", "neighbors"),
    "CRIBaseRuntimeSpecConfig": ("overrides",),
    "ImageVerificationConfig": ("rules.[]",),
    "KubeAPIServerConfig": ("extraArgs.*",),
    "KubeAuditPolicyConfig": ("configuration",),
    "KubeAuthenticationConfig": ("configuration",),
    "KubeControllerManagerConfig": ("extraArgs.*",),
    "KubeCredentialProviderConfig": ("configuration",),
    "KubeNetworkConfig": ("podSubnets", "serviceSubnets"),
    "KubeProxyConfig": ("extraArgs.*",),
    "KubeSchedulerConfig": ("extraArgs.*",),
    "KubeStaticPodConfig": ("pod",),
    "KubeletConfig": ("extraArgs.*",),
    "NetworkRuleConfig": ("ingress", "portSelector.ports"),
}
_NAMED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    V1ALPHA1: {
        "cluster.apiServer.admissionControl": ("name",),
        "machine.network.interfaces": ("interface", "deviceSelector"),
        "machine.network.interfaces.[].vlans": ("vlanId",),
    },
    "ExtensionServiceConfig": {"configFiles": ("mountPath",)},
    "ImageVerificationConfig": {"rules": ("image",)},
}


def rule_for(kind: str, steps: Steps) -> Rule | None:
    """Return how a value at a place of a document is merged; None where nothing is said of it."""
    if any(_fits(pattern, steps) for pattern in _REPLACED.get(kind, ())):
        return "replace"
    named = _NAMED.get(kind, {})
    return next((keys for pattern, keys in named.items() if _fits(pattern, steps)), None)


def path_of(steps: Steps) -> str:
    """Return how messages call a place."""
    return ".".join(steps).replace(".[]", "[]")


def _fits(pattern: str, steps: Steps) -> bool:
    wanted = pattern.split(".")
    return len(wanted) == len(steps) and all(one in ("*", step) for one, step in zip(wanted, steps, strict=True))
