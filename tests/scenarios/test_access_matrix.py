"""Every role, and nobody, at every method of the door: exactly the allowed cells pass."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from google.protobuf.message import Message

from cosi._pb.v1alpha1 import state_pb2
from cosi.rpc.http2.status import Code
from cosi.rpc.tls import ClientTls, Identity
from talos.access.authorities import Authorities
from talos.access.certificates import Authority, Pair
from talos.access.roles import Role
from tests.scenarios.door import Login, administrator, door_of, login, opened
from tests.scenarios.node import Site
from tests.talos.access.test_roles import RULES
from tests.talosctl.talosctl import STATE, Talosctl
from tests.talosctl.wire import CallFailed

NOT_PROTOBUF = b"\xff"
"""A request that every method refuses once it has let somebody in, so that nothing happens."""
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

SECRET, OPEN = "MachineConfigs.config.talos.dev", "ConfigStatuses.extensions.cosi.dev"
READS: dict[str, Callable[[str], Message]] = {
    "Get": lambda type: state_pb2.GetRequest(namespace="config", type=type, id="nothing"),
    "List": lambda type: state_pb2.ListRequest(namespace="config", type=type),
    "Watch": lambda type: state_pb2.WatchRequest(namespace="config", type=type, api_version=1),
}

pytestmark = pytest.mark.anyio


async def passes(client: Talosctl, path: str, request: bytes) -> bool:
    """Tell whether a call was let in, whatever became of it then."""
    try:
        await anext(client.raw(path, request), None)
    except CallFailed as failure:
        return (failure.code, failure.message) != (Code.PERMISSION_DENIED, "not authorized")
    return True


@pytest.mark.parametrize("roles", [(), ("os:gardener",), *((role,) for role in Role), ("os:reader", "os:meta:writer")])
async def test_a_role_opens_exactly_what_is_its(tmp_path: Path, roles: tuple[str, ...]) -> None:
    async with opened(tmp_path), login(tmp_path, *roles).talosctl() as client:
        passed = {path for path in RULES if await passes(client, path, NOT_PROTOBUF)}

    assert passed == {path for path, allowed in RULES.items() if allowed & set(roles)}


async def test_in_maintenance_nobody_needs_a_certificate_and_all_are_readers(tmp_path: Path) -> None:
    async with door_of(Site(tmp_path)), administrator(tmp_path).insecure() as client:
        passed = {path for path in RULES if await passes(client, path, NOT_PROTOBUF)}
        reads = {
            type: await passes(client, f"{STATE}/{method}", request(type).SerializeToString())
            for method, request in READS.items()
            for type in (SECRET, OPEN)
        }

    assert passed == {path for path, allowed in RULES.items() if Role.READER in allowed}
    assert reads == {SECRET: False, OPEN: True}


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("role", Role)
async def test_what_is_sensitive_is_for_administrators(tmp_path: Path, role: Role, method: str) -> None:
    async with opened(tmp_path), login(tmp_path, role).talosctl() as client:
        reads = {
            type: await passes(client, f"{STATE}/{method}", READS[method](type).SerializeToString())
            for type in (SECRET, OPEN)
        }

    may_read = role in (Role.ADMIN, Role.OPERATOR, Role.READER)
    assert reads == {SECRET: role is Role.ADMIN, OPEN: may_read}


Credentials = Callable[[Authority], ClientTls]


def trusting(authority: Authority, pair: Pair | None) -> ClientTls:
    return ClientTls(authority.pair.certificate, Identity(*pair) if pair is not None else None)


NOBODY: dict[str, Credentials] = {
    "no certificate": lambda ours: trusting(ours, None),
    "an expired one": lambda ours: trusting(ours, ours.for_client(["os:admin"], NOW - 2 * DAY, DAY)),
    "one that is not valid yet": lambda ours: trusting(ours, ours.for_client(["os:admin"], NOW + DAY)),
    "another authority's": lambda ours: trusting(ours, Authority.create(NOW).for_client(["os:admin"], NOW)),
    "a self-signed one": lambda ours: trusting(ours, Authority.create(NOW).pair),
    "a server's": lambda ours: trusting(ours, ours.for_server(["127.0.0.1"], NOW)),
}


@asynccontextmanager
async def wearing(tmp_path: Path, credentials: Credentials) -> AsyncIterator[Login]:
    async with opened(tmp_path):
        somebody = administrator(tmp_path)
        somebody.tls = credentials(Authorities(tmp_path / "state/pki").current)
        yield somebody


@pytest.mark.parametrize("credentials", NOBODY.values(), ids=NOBODY)
async def test_without_a_certificate_that_is_good_nothing_is_open(tmp_path: Path, credentials: Credentials) -> None:
    async with wearing(tmp_path, credentials) as somebody:
        with pytest.raises((ConnectionError, anyio.EndOfStream)):
            async with somebody.talosctl() as client:
                await client.version()


async def test_in_plain_text_nothing_is_open(tmp_path: Path) -> None:
    async with opened(tmp_path):
        where = administrator(tmp_path).address
        async with await anyio.connect_tcp(where.host, where.port) as plain:
            await plain.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await plain.receive()
