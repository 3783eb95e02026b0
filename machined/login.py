"""How clients get in: where they find the node, and the certificates they log in with.

machined run --talosconfig FILE     an administrator's login, as the node starts
machined talosconfig --state DIR    any other, in a role, for a time
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

from cosi.rpc import address
from cosi.rpc.address import Address
from talos.access import talosconfig
from talos.access.authorities import Authorities
from talos.access.certificates import CLIENT_LIFETIME
from talos.access.roles import Role
from talos.access.talosconfig import Talosconfig, TalosconfigError

DEFAULT_PORT: Final = 50000
"""Where talosctl looks for a node, unless told."""

ANY_HOST: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def parse_endpoint(text: str) -> Address:
    """Return the address of HOST or HOST:PORT. Raises ValueError."""
    return address.parse_endpoint(text, DEFAULT_PORT)


def endpoint_of(listening: Address) -> str:
    """Return how others reach a node that listens there, HOST:PORT."""
    if listening.host not in ANY_HOST:
        return listening.target
    host = next(iter(reachable_addresses()), address.LOCALHOST_ADDRESSES[0])
    return Address(host=host, port=listening.port).target


def reachable_addresses() -> list[str]:
    """Return the addresses of this machine that others may reach it at, those of IPv4 first."""
    found = [each for of_one in psutil.net_if_addrs().values() for each in of_one]
    families = (socket.AF_INET, socket.AF_INET6)
    known = [each.address for family in families for each in found if each.family == family]
    return [each for each in known if "%" not in each and not address.is_loopback(each)]


def write_login(
    authorities: Authorities,
    path: Path,
    endpoints: Sequence[str],
    *,
    merge: bool = False,
    roles: Sequence[str] = (Role.ADMIN,),
    lifetime: datetime.timedelta = CLIENT_LIFETIME,
) -> str:
    """Put a new login into a talosconfig and return its context. Without `merge` other nodes' logins are in the way.

    Raises TalosconfigError, OSError, ValueError.
    """
    existing = talosconfig.read(path) if merge else require_own(authorities, path)
    accepted, known = authorities.accepted, authorities.known
    authority = authorities.newest
    client = authority.for_client(roles, now(), lifetime)
    nodes = [parse_endpoint(each).host for each in endpoints]
    context = talosconfig.login(endpoints, nodes, ca=accepted, client=client)
    merged = talosconfig.merged(existing if merge else Talosconfig(), socket.gethostname(), context, replaces=known)
    talosconfig.write(path, merged)
    return merged.context


def require_own(authorities: Authorities, path: Path) -> Talosconfig:
    """Return what a talosconfig holds, if that is logins to this node or nothing. Raises TalosconfigError, OSError."""
    existing = talosconfig.read(path)
    if others := talosconfig.foreign(existing, authorities.known):
        problem = f"there are logins to other nodes in it ({', '.join(sorted(others))[:200]})"
        raise TalosconfigError(path, problem, "name another file, or merge: machined talosconfig --merge")
    return existing


def now() -> datetime.datetime:
    """Return the time by which certificates hold."""
    return datetime.datetime.now(datetime.UTC)
