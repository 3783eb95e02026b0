"""TLS keeps strangers out on both sides, and what is wrong with a certificate is said before anybody connects."""

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
from cosi.rpc.grpcio.client import RemoteState, connected
from cosi.rpc.grpcio.server import serving
from cosi.rpc.grpcio.tls import MAX_PEM_BYTES, ClientTls, Identity, ServerTls, read_pem
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
async def talking(server: ServerTls, client: ClientTls | None, where: Address = ANYWHERE) -> AsyncIterator[RemoteState]:
    """Hold a client of a new server."""
    async with serving(MemoryState(), sample_registry(), [where], tls=server) as taken:
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


# --- what is wrong with a certificate ---


@pytest.mark.parametrize("kind", [ED25519, RSA], ids=["Ed25519", "RSA"])
def test_a_key_that_peers_would_refuse_is_refused_here(authority: Authority, kind: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="the certificate's key is not ECDSA on P-256"):
        Identity(*authority.issue(kind[0].lower(), kind))


def test_a_certificate_and_a_key_that_do_not_belong_together_are_refused(authority: Authority) -> None:
    certificate, _ = authority.issue("one")
    _, key = authority.issue("two")

    with pytest.raises(ValueError, match=r"not a certificate and its private key \(key values mismatch\)"):
        Identity(certificate, key)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_password(authority: Authority) -> None:
    certificate, _ = authority.issue("locked")
    command = ["openssl", "pkcs8", "-topk8", "-in", str(authority.file("locked", "key")), "-passout", "pass:secret"]
    key = subprocess.run(command, check=True, capture_output=True).stdout
    assert b"ENCRYPTED" in key

    with pytest.raises(ValueError, match="the key not encrypted"):
        Identity(certificate, key)


@pytest.mark.parametrize("junk", [b"", b"junk", b"\xff\xfe", b"-----BEGIN CERTIFICATE-----\njunk\n"])
def test_what_is_no_certificate_is_said_to_be_none(authority: Authority, server_tls: ServerTls, junk: bytes) -> None:
    _, key = authority.issue("whole")

    with pytest.raises(ValueError, match="not a certificate and its private key"):
        Identity(junk, key)
    with pytest.raises(ValueError, match="not the certificates of an authority"):
        ClientTls(junk)
    with pytest.raises(ValueError, match="not the certificates of an authority"):
        ServerTls(server_tls.identity, junk)


def test_a_key_is_not_shown(client_tls: ClientTls, server_tls: ServerTls) -> None:
    for shown in (repr(client_tls), str(server_tls), f"{server_tls.identity}"):
        assert "PRIVATE" not in shown


def test_a_file_is_read_as_it_is_unless_it_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(b"x" * MAX_PEM_BYTES)
    assert len(read_pem(file)) == MAX_PEM_BYTES

    file.write_bytes(b"x" * (MAX_PEM_BYTES + 1))
    with pytest.raises(ValueError, match=r"ca\.pem is no certificate or key: it is larger"):
        read_pem(file)
    with pytest.raises(FileNotFoundError):
        read_pem(tmp_path / "none.pem")


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
