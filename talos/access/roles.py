"""A role allows methods; it is the organization in a client's certificate.

The roles, and what each may call, are Talos's (pkg/machinery/role, internal/app/machined/pkg/system/services). Of
methods that this node does not serve nothing is said here; an administrator may call all that it does.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a certificate's organization says of its bearer. There are others; they allow nothing here."""

    ADMIN = "os:admin"
    OPERATOR = "os:operator"
    READER = "os:reader"


_STATE: Final = "/cosi.resource.State"
_MACHINE: Final = "/machine.MachineService"

_FOR_READERS: Final = frozenset(
    {
        f"{_STATE}/Get",
        f"{_STATE}/List",
        f"{_STATE}/Watch",
        f"{_MACHINE}/Hostname",
        f"{_MACHINE}/Version",
    }
)


def allows(roles: Collection[str], method: str) -> bool:
    """Tell whether one of the roles may call a method, such as /machine.MachineService/Version."""
    if Role.ADMIN in roles:
        return True
    return method in _FOR_READERS and (Role.READER in roles or Role.OPERATOR in roles)
