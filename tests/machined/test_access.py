"""Who is what: by certificate, and by nothing else; in maintenance a reader, whoever it is, and never by accident."""

import datetime
import ssl

import pytest

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Peer, Refusal, Service, frame
from machined.access import MAX_QUESTION_BYTES, guarded
from machined.access import roles_here as roles
from machined.maintenance import Maintenance
from talos.access.certificates import Authority
from talos.access.roles import ROLES_KEY

NOW = datetime.datetime.now(datetime.UTC)
AUTHORITY = Authority.create(NOW)
CERTIFICATES = {
    name: ssl.PEM_cert_to_DER_cert(AUTHORITY.for_client([name], NOW).certificate.decode())
    for name in ("os:admin", "os:operator", "os:reader", "os:impersonator", "os:gardener")
}


def call(certificate: str | None, *, told: str | None = None) -> Call:
    der = CERTIFICATES[certificate] if certificate is not None else None
    return Call(metadata=[(ROLES_KEY, told)] if told is not None else [], peer=Peer("127.0.0.1:1", der))


@pytest.mark.parametrize("certificate", [None, *CERTIFICATES])
@pytest.mark.parametrize("told", [None, "os:admin", "os:reader"])
def test_in_maintenance_everybody_is_a_reader_and_nothing_else(certificate: str | None, told: str | None) -> None:
    assert roles(call(certificate, told=told), Maintenance(on=True)) == {"os:reader"}


@pytest.mark.parametrize("told", [None, "os:admin", "os:reader"])
def test_outside_of_it_nobody_is_anything_without_a_certificate(told: str | None) -> None:
    assert roles(call(None, told=told), Maintenance(on=False)) == frozenset()


@pytest.mark.parametrize("certificate", ["os:admin", "os:operator", "os:reader", "os:gardener"])
def test_a_certificate_says_the_role_and_metadata_does_not(certificate: str) -> None:
    assert roles(call(certificate, told="os:admin"), Maintenance(on=False)) == {certificate}


def test_a_node_that_passes_a_call_on_says_whose_it_is() -> None:
    assert roles(call("os:impersonator", told="os:reader"), Maintenance(on=False)) == {"os:reader"}
    assert roles(call("os:impersonator"), Maintenance(on=False)) == {"os:impersonator"}


def test_maintenance_ends_for_good() -> None:
    maintenance = Maintenance(on=True)

    maintenance.end()

    assert not maintenance.on
    assert not roles(call(None), maintenance)


async def _served(request: bytes, _: Call) -> Frames:
    return frame(request[:1])


@pytest.mark.anyio
async def test_only_a_config_is_brought_in_a_large_request() -> None:
    methods = {"ApplyConfiguration": _served, "Memory": _served}
    handlers = guarded(Service("machine.MachineService", unary=methods), Maintenance(on=True)).unary
    large = b"x" * (MAX_QUESTION_BYTES + 1)

    assert await handlers["Memory"](large[1:], call(None)) == frame(b"x")
    assert await handlers["ApplyConfiguration"](large, call(None)) == frame(b"x")
    with pytest.raises(Refusal, match=r"65537 bytes, .* takes 65536 at most") as refused:
        await handlers["Memory"](large, call(None))
    assert refused.value.code is Code.RESOURCE_EXHAUSTED
