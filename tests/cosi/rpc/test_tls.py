"""TLS keeps strangers out on both sides, whatever the key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from cosi.resource.registry import Registry
from cosi.rpc.address import Address
from cosi.rpc.remote.state import RemoteState, connected
from cosi.rpc.serving import DEFAULT_TRANSPORT, Transport, serving
from cosi.rpc.tls import ClientTls, Identity, ServerTls
from cosi.state import errors
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.resources import PathResource, path, sample_registry
from tests.cosi.rpc.certificates import ED25519, RSA, Authority

PATIENCE_SECONDS = 10.0
ANYWHERE = Address(host="127.0.0.1", port=0)
EVERYWHERE = Address(host="0.0.0.0", port=0)
NAMED = "DNS:node.example"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def server_tls(authority: Authority) -> ServerTls:
    return ServerTls(Identity(*authority.issue("server")), authority.certificate)


@pytest.fixture(scope="module")
def client_tls(authority: Authority) -> ClientTls:
    return ClientTls(authority.certificate, Identity(*authority.issue("client")))


@asynccontextmanager
async def talking(
    server: ServerTls,
    client: ClientTls | None,
    where: Address = ANYWHERE,
    *,
    transport: Transport = DEFAULT_TRANSPORT,
) -> AsyncIterator[RemoteState]:
    """Hold a client of a new server."""
    async with serving(MemoryState(), sample_registry(), [where], tls=server, transport=transport) as taken:
        there = Address(host="127.0.0.1", port=taken[0].port)
        async with connected(there, sample_registry(), tls=client) as remote:
            with anyio.fail_after(PATIENCE_SECONDS):
                yield remote


@pytest.mark.anyio
async def test_two_that_trust_the_same_authority_can_talk_on_any_address(
    server_tls: ServerTls, client_tls: ClientTls
) -> None:
    async with talking(server_tls, client_tls, EVERYWHERE) as remote, remote.watch_kind(PathResource.kind()) as watch:
        await remote.create(path("a"))
        (event,) = await watch.batch()

    assert event.resource == path("a").with_metadata(event.resource.metadata)  # type: ignore[union-attr]


@pytest.mark.anyio
async def test_an_ed25519_authority_may_sign(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ed25519", kind=ED25519)
    server = ServerTls(Identity(*authority.issue("server")), authority.certificate)
    client = ClientTls(authority.certificate, Identity(*authority.issue("client")))

    async with talking(server, client) as remote:
        assert await remote.list(PathResource.kind()) == []


@pytest.mark.anyio
async def test_a_server_may_go_by_a_name(authority: Authority, client_tls: ClientTls) -> None:
    server = ServerTls(Identity(*authority.issue("named", alternative=NAMED)), authority.certificate)
    knowing = ClientTls(authority.certificate, client_tls.identity, server_name="node.example")

    async with talking(server, knowing) as remote:
        assert await remote.list(PathResource.kind()) == []
    async with talking(server, client_tls) as remote:
        with pytest.raises(errors.Unavailable):
            await remote.list(PathResource.kind())


@pytest.mark.anyio
@pytest.mark.parametrize("who", ["nobody", "a stranger", "plain text", "a believer in strangers"])
async def test_who_is_not_trusted_or_does_not_trust_is_kept_out(
    server_tls: ServerTls, client_tls: ClientTls, authority: Authority, stranger: Authority, who: str
) -> None:
    clients = {
        "nobody": ClientTls(authority.certificate),
        "a stranger": ClientTls(authority.certificate, Identity(*stranger.issue("mallory"))),
        "plain text": None,
        "a believer in strangers": ClientTls(stranger.certificate, client_tls.identity),
    }

    async with talking(server_tls, clients[who]) as remote:
        with pytest.raises(errors.Unavailable):
            await State(remote).create(path("a"))


@pytest.mark.anyio
async def test_a_unix_socket_stays_plain(server_tls: ServerTls, client_tls: ClientTls, tmp_path: Path) -> None:
    where = Address(path=str(tmp_path / "cosi.sock"))

    async with serving(MemoryState(), Registry(), [where], tls=server_tls):
        for tls in (None, client_tls):
            async with connected(where, Registry(), tls=tls) as remote:
                assert await remote.list(PathResource.kind()) == []


@pytest.mark.anyio
async def test_without_tls_only_this_machine_is_served() -> None:
    with pytest.raises(ValueError, match=r"will not serve plain text on 0\.0\.0\.0:0: it is not a loopback address"):
        async with serving(MemoryState(), Registry(), [EVERYWHERE]):
            pass


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [ED25519, RSA], ids=["Ed25519", "RSA"])
async def test_both_sides_may_have_a_key_of_any_kind(authority: Authority, kind: tuple[str, ...]) -> None:
    identity = Identity(*authority.issue(kind[0].lower(), kind))

    async with talking(
        ServerTls(identity, authority.certificate), ClientTls(authority.certificate, identity)
    ) as remote:
        assert await remote.list(PathResource.kind()) == []


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [ED25519, RSA], ids=["Ed25519", "RSA"])
async def test_a_key_that_grpcio_would_refuse_is_refused_before_anybody_connects(
    authority: Authority, kind: tuple[str, ...]
) -> None:
    identity = Identity(*authority.issue(kind[0].lower(), kind))

    with pytest.raises(ValueError, match="the certificate's key is not ECDSA on P-256"):
        async with talking(ServerTls(identity, authority.certificate), None, transport=Transport.GRPCIO):
            pass


@pytest.mark.anyio
async def test_a_server_on_grpcio_is_talked_to_as_well(server_tls: ServerTls, client_tls: ClientTls) -> None:
    async with talking(server_tls, client_tls, transport=Transport.GRPCIO) as remote:
        await remote.create(path("a"))
        assert len(await remote.list(PathResource.kind())) == 1


@pytest.mark.anyio
async def test_a_server_that_names_no_authority_answers_everybody(server_tls: ServerTls, authority: Authority) -> None:
    async with talking(ServerTls(server_tls.identity, None), ClientTls(authority.certificate)) as remote:
        assert await remote.list(PathResource.kind()) == []


# --- who writes to standard error ---

NOISY = """
from cosi.rpc.grpcio import server
import grpc
try:
    grpc.aio.server().add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(b"junk", b"junk")]))
except RuntimeError:
    print("refused")
"""


def test_what_the_core_of_grpc_has_to_say_stays_out_of_our_log() -> None:
    result = subprocess.run([sys.executable, "-c", NOISY], capture_output=True, text=True, check=True)

    assert (result.stdout, result.stderr) == ("refused\n", "")
