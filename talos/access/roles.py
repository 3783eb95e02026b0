"""A role allows methods; it is the organization in a client's certificate.

The roles, and what each may call, are Talos's (pkg/machinery/role, internal/app/machined/pkg/system/services). A method
that is named nowhere here is for administrators.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a certificate's organization says of its bearer. Others allow nothing."""

    ADMIN = "os:admin"
    OPERATOR = "os:operator"
    READER = "os:reader"
    ETCD_BACKUP = "os:etcd:backup"
    IMAGE_VERIFIER = "os:image:verifier"
    META_WRITER = "os:meta:writer"
    IMPERSONATOR = "os:impersonator"
    """A node that passes calls of others on; the metadata of a call says in whose roles."""


ROLES_KEY: Final = "talos-role"
"""The metadata in which a node that passes a call on says the roles of who called it."""

_ADMIN: Final = frozenset({Role.ADMIN})
_OPERATE: Final = frozenset({Role.ADMIN, Role.OPERATOR})
_READ: Final = frozenset({Role.ADMIN, Role.OPERATOR, Role.READER})
_MAINTAIN: Final = frozenset({Role.ADMIN, Role.READER})
"""For administrators; and for readers as long as the node has no config, which the method sees to."""
_ETCD_READ: Final = _READ | {Role.ETCD_BACKUP}
_META: Final = frozenset({Role.ADMIN, Role.META_WRITER})

_RULES: Final[Mapping[str, Mapping[str, frozenset[Role]]]] = {
    "cluster.ClusterService": {"HealthCheck": _READ},
    "cosi.resource.State": {
        **dict.fromkeys(("Get", "List", "Watch"), _READ),
        **dict.fromkeys(("Create", "Destroy", "Teardown", "TeardownAndDestroy", "Update"), _ADMIN),
    },
    "inspect.InspectService": {"ControllerRuntimeDependencies": _READ},
    "machine.DebugService": {"ContainerRun": _ADMIN},
    "machine.ImageService": {
        "Import": _ADMIN,
        "List": _READ,
        "Pull": _OPERATE,
        "Remove": _ADMIN,
        "Verify": _READ | {Role.IMAGE_VERIFIER},
    },
    "machine.LVMService": dict.fromkeys(
        ("LogicalVolumeRemove", "PhysicalVolumeRemove", "VolumeGroupRemove"), _MAINTAIN
    ),
    "machine.LifecycleService": {"Install": _ADMIN, "Upgrade": _ADMIN},
    "machine.MDService": {"Destroy": _MAINTAIN},
    "machine.MachineService": {
        "ApplyConfiguration": _MAINTAIN,
        **dict.fromkeys(("MetaDelete", "MetaWrite"), _META),
        **dict.fromkeys(("EtcdAlarmList", "EtcdMemberList", "EtcdStatus"), _ETCD_READ),
        "EtcdSnapshot": _OPERATE | {Role.ETCD_BACKUP},
        **dict.fromkeys(
            (
                "EtcdAlarmDisarm", "EtcdDefragment", "ImagePull", "PacketCapture", "Reboot", "Restart",
                "ServiceRestart", "ServiceStart", "ServiceStop", "Shutdown",
            ),
            _OPERATE,
        ),
        **dict.fromkeys(
            (
                "CPUFreqStats", "CPUInfo", "Containers", "DiskStats", "DiskUsage", "Dmesg", "Events", "Hostname",
                "ImageList", "List", "LoadAvg", "Logs", "LogsContainers", "Memory", "Mounts", "NetworkDeviceStats",
                "Netstat", "Processes", "ServiceList", "Stats", "SystemStat", "Version",
            ),
            _READ,
        ),
        **dict.fromkeys(
            (
                "Bootstrap", "Copy", "EtcdDowngradeCancel", "EtcdDowngradeEnable", "EtcdDowngradeValidate",
                "EtcdForfeitLeadership", "EtcdLeaveCluster", "EtcdRecover", "EtcdRemoveMemberByID",
                "GenerateClientConfiguration", "Kubeconfig", "Read", "Reset", "Rollback", "Upgrade",
            ),
            _ADMIN,
        ),
    },
    "machine.StorageService": {"Statfs": _READ},
    "storage.StorageService": {"BlockDeviceWipe": _MAINTAIN, "Disks": _READ},
    "time.TimeService": {"Time": _READ, "TimeCheck": _READ},
}  # fmt: skip

METHODS: Final[Mapping[str, Collection[str]]] = {service: tuple(methods) for service, methods in _RULES.items()}
"""The methods of Talos's API by their service, whether or not this node serves them."""


def allowed(service: str, method: str) -> frozenset[Role]:
    """Return the roles that may call a method."""
    return _RULES.get(service, {}).get(method, _ADMIN)
