"""The nodes of the cluster as this one publishes them: itself, and the peers that it was told of."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from machined.door import DoorOptions
from machined.login import ANY_HOST, reachable_addresses
from resources.member import MemberSpec, NetIP


def members(hostname: str, talos_version: str, door: DoorOptions | None) -> Sequence[MemberSpec]:
    """Return this node and its peers. Of a peer nobody knows the system before asking it."""
    listening = [door.listen.host] if door is not None and door.listen.host not in ANY_HOST else reachable_addresses()
    own = MemberSpec(hostname=hostname, addresses=_addresses(listening), operating_system=f"Talos ({talos_version})")
    peers = door.peers if door is not None else ()
    return [own, *(MemberSpec(hostname=peer.name, addresses=_addresses([peer.address.host])) for peer in peers)]


def _addresses(hosts: Sequence[str]) -> tuple[NetIP, ...]:
    """Return the hosts that are addresses: names are not looked up."""
    return tuple(NetIP.parse(host) for host in hosts if _is_address(host))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
