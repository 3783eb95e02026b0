"""TLS on the native transport: any kind of key, nobody who is not trusted, other certificates while it runs."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from cosi.rpc.address import Address, parse
from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Feed, Frames, ServerStreaming, Unary, frame
from cosi.rpc.serving import Transport, serving_services
from cosi.rpc.tls import Certificates, ClientTls, Identity, ServerTls
from tests.cosi.rpc.certificates import ED25519, P256, Authority
from tests.cosi.rpc.native.handlers import ECHO, PATIENCE_SECONDS, SERVER, UNARY, Stay, echo, service
from tests.cosi.rpc.native.raw_client import Over, connected
from tests.cosi.rpc.sample_service import Letters

pytestmark = pytest.mark.anyio

ANYWHERE = Address(host="127.0.0.1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), kind=ED25519)


@pytest.fixture(scope="module")
def server_tls(authority: Authority) -> ServerTls:
    return ServerTls(Identity(*authority.issue("server", ED25519)), authority.certificate)


@pytest.fixture(scope="module")
def client_tls(authority: Authority) -> ClientTls:
    return ClientTls(authority.certificate, Identity(*authority.issue("client", ED25519)))


@asynccontextmanager
async def tls_served(
    tls: ServerTls | Certificates, unary: Unary = echo, server: ServerStreaming | None = None
) -> AsyncIterator[Address]:
    with anyio.fail_after(PATIENCE_SECONDS):
        async with serving_services(
            [service(unary=unary, server=server)], [ANYWHERE], tls=tls, transport=Transport.NATIVE
        ) as (where,):
            yield where


async def is_served(where: Address, tls: ssl.SSLContext | None) -> bool:
    try:
        async with connected(where, tls=tls) as client:
            return (await client.ask(ECHO, b"hello")).contents == [b"hello"]
    except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream, Over):
        return False


# --- who is let in ---


@pytest.mark.parametrize("kind", [ED25519, P256], ids=["Ed25519", "P-256"])
async def test_keys_may_be_of_any_kind_and_a_handler_sees_its_clients_certificate(
    tmp_path: Path, kind: tuple[str, ...]
) -> None:
    authority, calls = Authority(tmp_path, kind=kind), []
    certificate, key = authority.issue("client", kind)

    async def unary(content: bytes, call: Call) -> Frames:
        calls.append(call)
        return frame(content)

    server = ServerTls(Identity(*authority.issue("server", kind)), authority.certificate)
    client_tls = ClientTls(authority.certificate, Identity(certificate, key))
    async with tls_served(server, unary) as where, connected(where, tls=client_tls.context()) as client:
        assert (await client.ask(UNARY, b"hello")).contents == [b"hello"]

    (call,) = calls
    assert call.peer.certificate == ssl.PEM_cert_to_DER_cert(certificate.decode())
    assert parse(call.peer.address).host == "127.0.0.1"


async def test_where_nobody_is_asked_for_a_certificate_everybody_is_served_and_unknown(
    server_tls: ServerTls, authority: Authority
) -> None:
    calls = []

    async def unary(content: bytes, call: Call) -> Frames:
        calls.append(call)
        return frame(content)

    nobody = ClientTls(authority.certificate).context()
    async with tls_served(ServerTls(server_tls.identity, None), unary) as where, connected(where, tls=nobody) as client:
        await client.ask(UNARY)

    assert calls[0].peer.certificate is None


@pytest.mark.parametrize("who", ["nobody", "a stranger", "plain text", "no ALPN", "HTTP/1", "a believer in strangers"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_who_is_not_trusted_or_does_not_speak_http2_is_kept_out_and_others_are_not(
    server_tls: ServerTls,
    client_tls: ClientTls,
    authority: Authority,
    tmp_path: Path,
    version: ssl.TLSVersion,
    who: str,
) -> None:
    stranger = Authority(tmp_path, "stranger", ED25519)
    clients = {
        "nobody": ClientTls(authority.certificate),
        "a stranger": ClientTls(authority.certificate, Identity(*stranger.issue("mallory", ED25519))),
        "a believer in strangers": ClientTls(stranger.certificate, client_tls.identity),
    }
    context = clients.get(who, client_tls).context()
    context.maximum_version = version
    if who in ("no ALPN", "HTTP/1"):
        context.set_alpn_protocols(["http/1.1"] if who == "HTTP/1" else [])

    async with tls_served(server_tls) as where, connected(where, tls=client_tls.context()) as friend:
        assert not await is_served(where, None if who == "plain text" else context)
        assert (await friend.ask(ECHO, b"hello")).contents == [b"hello"]


async def test_a_unix_socket_beside_tls_stays_plain(server_tls: ServerTls, tmp_path: Path) -> None:
    socket = Address(path=str(tmp_path / "socket"))
    async with serving_services([service()], [ANYWHERE, socket], tls=server_tls, transport=Transport.NATIVE):
        assert await is_served(socket, None)


async def test_a_handshake_that_does_not_end_is_given_up(
    server_tls: ServerTls, client_tls: ClientTls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosi.rpc.native.server.LOOK_AFTER_SECONDS", 0.01)
    async with tls_served(server_tls) as where, connected(where, tls=client_tls.context()) as quick:
        await quick.settle()
        monkeypatch.setattr("cosi.rpc.native.connection.HANDSHAKE_SECONDS", 0.03)
        async with connected(where, greets=False) as silent:
            await silent.end()
        async with connected(where, greets=False) as slow:
            await slow.say(b"\x16\x03\x01")
            await slow.end()

        assert (await quick.ask(ECHO, b"hello")).contents == [b"hello"]


# --- what is said ---


async def test_large_messages_and_many_calls_go_through(server_tls: ServerTls, client_tls: ClientTls) -> None:
    large = bytes(range(256)) * 1024

    async def server(content: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        for _number in range(8):
            yield frame(large)

    wide = {frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}
    async with (
        tls_served(server_tls, server=server) as where,
        connected(where, wide, tls=client_tls.context()) as client,
    ):
        await client.say(frames.WindowUpdate(0, 1 << 30))
        stream = await client.call(SERVER, b"")
        calls = [await client.call(ECHO, b"%d" % number) for number in range(100)]
        answers = [(await client.answer(call)).contents for call in calls]
        streamed = await client.answer(stream)

    assert answers == [[b"%d" % number] for number in range(100)]
    assert (streamed.contents, streamed.code) == ([large] * 8, Code.OK)


@pytest.mark.parametrize("how", ["with a goodbye", "without"])
async def test_a_client_that_leaves_ends_its_calls(
    server_tls: ServerTls, client_tls: ClientTls, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("cosi.rpc.native.connection.LINGER_SECONDS", 0.01)
    stay = Stay()

    async def unary(_: bytes, _call: Call) -> Frames:
        await stay.here()
        return frame(b"")

    async with tls_served(server_tls, unary) as where:
        async with connected(where, tls=client_tls.context()) as client:
            await client.call(UNARY, b"")
            await stay.began.wait()
            if how == "with a goodbye":
                await client.settle()
                await client.say_goodbye()
                await stay.ended.wait()
        await stay.ended.wait()

    assert stay.cancelled


async def test_a_client_that_breaks_the_rules_is_told_why(server_tls: ServerTls, client_tls: ClientTls) -> None:
    async with tls_served(server_tls) as where, connected(where, tls=client_tls.context()) as client:
        await client.say(frames.Data(0, b""))

        assert (await client.goodbye()).code == ErrorCode.PROTOCOL_ERROR


# --- other certificates while it runs ---


async def test_new_certificates_are_for_new_connections_and_the_old_ones_go_on(
    server_tls: ServerTls, client_tls: ClientTls, tmp_path: Path
) -> None:
    new_authority, feed = Authority(tmp_path, "new", ED25519), Letters()
    new_server = ServerTls(Identity(*new_authority.issue("server", ED25519)), new_authority.certificate)
    new_client = ClientTls(new_authority.certificate, Identity(*new_authority.issue("client", ED25519)))

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames | Feed, None]:
        yield frame(b"before")
        yield feed

    certificates = Certificates(server_tls)
    async with (
        tls_served(certificates, server=server) as where,
        connected(where, tls=client_tls.context()) as old,
    ):
        stream = await old.call(SERVER, b"")
        await old.begun(stream)

        certificates.reload(new_server)

        assert await is_served(where, new_client.context())
        assert not await is_served(where, client_tls.context())
        feed.put(frame(b"after"))
        feed.put(None)
        assert (await old.answer(stream)).contents == [b"before", b"after"]
        assert (await old.ask(ECHO, b"hello")).contents == [b"hello"]


async def test_when_certificates_are_replaced_who_came_in_before_is_sent_away_after_the_calls_under_way(
    server_tls: ServerTls, client_tls: ClientTls
) -> None:
    answering = anyio.Event()

    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames | Feed, None]:
        yield frame(b"before")
        await answering.wait()
        yield frame(b"after")

    certificates = Certificates(ServerTls(server_tls.identity, None))
    async with (
        tls_served(certificates, server=server) as where,
        connected(where, tls=ClientTls(client_tls.ca).context()) as nobody,
    ):
        stream = await nobody.call(SERVER, b"")
        await nobody.begun(stream)

        certificates.replace(server_tls)
        answering.set()

        assert (await nobody.answer(stream)).contents == [b"before", b"after"]
        await nobody.say(nobody.pong())
        assert (await nobody.goodbye()).code == ErrorCode.NO_ERROR
        assert not await is_served(where, ClientTls(client_tls.ca).context())
        assert await is_served(where, client_tls.context())


async def test_when_certificates_are_replaced_a_call_that_goes_on_is_cut_off(
    server_tls: ServerTls, client_tls: ClientTls
) -> None:
    async def server(_: bytes, _call: Call) -> AsyncGenerator[Frames | Feed, None]:
        yield frame(b"before")
        await anyio.sleep_forever()

    certificates = Certificates(server_tls)
    async with (
        tls_served(certificates, server=server) as where,
        connected(where, tls=client_tls.context()) as client,
    ):
        stream = await client.call(SERVER, b"")
        await client.begun(stream)

        certificates.replace(server_tls)

        with pytest.raises((ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream, Over)):
            await client.answer(stream)


async def test_a_unix_socket_beside_tls_is_not_concerned(server_tls: ServerTls, tmp_path: Path) -> None:
    certificates = Certificates(server_tls)
    addresses = [ANYWHERE, Address(path=str(tmp_path / "socket"))]
    async with (
        serving_services([service(unary=echo)], addresses, tls=certificates, transport=Transport.NATIVE) as (_, local),
        connected(local) as client,
    ):
        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]

        certificates.replace(server_tls)

        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]
