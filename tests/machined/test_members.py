"""Members read as Talos's do, in YAML and on the wire."""

from __future__ import annotations

from cosi.rpc.address import Address
from machined.address_book import Peer
from machined.door import DoorOptions
from machined.members import members
from resources.member import MachineType, MemberSpec, NetIP

TALOS_YAML = """\
nodeId: ""
addresses:
    - 10.0.0.1
    - fd00::1
hostname: one
machineType: controlplane
operatingSystem: Talos (v1.11.0)
"""


def test_a_member_looks_as_on_talos() -> None:
    addresses = (NetIP.parse("10.0.0.1"), NetIP.parse("fd00::1"))
    member = MemberSpec(
        hostname="one",
        addresses=addresses,
        machine_type=MachineType.CONTROLPLANE,
        operating_system="Talos (v1.11.0)",
    )

    assert member.to_yaml() == TALOS_YAML
    assert member.to_proto().startswith(bytes([0x12, 6, 0x0A, 4, 10, 0, 0, 1]))  # field 2: a message with field 1
    assert b"\x20\x02" in member.to_proto()  # field 4: the enum's number
    assert MemberSpec.from_proto(member.to_proto()) == member


def test_what_another_version_says_can_be_shown() -> None:
    member = MemberSpec(machine_type=9, addresses=(NetIP(), NetIP(ip=b"123")))

    assert "machineType: Type(9)" in member.to_yaml()
    assert 'addresses:\n    - ""\n    - ""\n' in member.to_yaml()


def test_a_node_lists_itself_and_its_peers_with_the_addresses_it_knows() -> None:
    peers = [Peer("two", Address(host="10.0.0.2", port=1)), Peer("three", Address(host="three.example", port=1))]
    door = DoorOptions(Address(host="10.0.0.1", port=1), peers=peers)

    listed = members("one", "v1.11.0", door)

    assert [(each.hostname, [str(ip) for ip in each.addresses], each.operating_system) for each in listed] == [
        ("one", ["10.0.0.1"], "Talos (v1.11.0)"),
        ("two", ["10.0.0.2"], ""),
        ("three", [], ""),
    ]
