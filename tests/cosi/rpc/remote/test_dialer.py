"""Whatever is wrong with an address, a certificate, or what listens there is said in plain words, and in time."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cosi.resource.registry import Registry
from cosi.rpc import address as addresses
from cosi.rpc.address import Address
from cosi.rpc.remote import channel, dialer
from cosi.rpc.remote.connection import Connection
from cosi.rpc.remote.state import connected
from cosi.rpc.serving import serving
from cosi.rpc.tls import ClientTls, Identity, ServerTls
from cosi.state import errors
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import PathResource, path, sample_registry
from tests.cosi.rpc.certificates import Authority
from tests.cosi.rpc.remote.asking import ask
from tests.cosi.rpc.remote.elsewhere import Elsewhere
from tests.cosi.rpc.remote.raw_server import calling, get, listening

ANYWHERE = Address(host="127.0.0.1", port=0)
KIND = PathResource.kind()
TOO_LONG_SECONDS = 0.05


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server_tls(authority: Authority) -> ServerTls:
    return ServerTls(Identity(*authority.issue("server")), authority.certificate)


@pytest.fixture(scope="module")
def client_tls(authority: Authority) -> ClientTls:
    return ClientTls(authority.certificate, Identity(*authority.issue("client")))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port at which nobody ever says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


async def refusal(where: Address, tls: ClientTls | None = None) -> str:
    """Return what a caller is told."""
    async with calling(where, tls) as calls:
        with pytest.raises(errors.Unavailable) as refused:
            await get(calls)
    return str(refused.value)


def address_of(listener: socket.socket) -> Address:
    return Address(host="127.0.0.1", port=listener.getsockname()[1])


class TestWhereToConnect:
    pytestmark = pytest.mark.anyio

    async def test_localhost_is_tried_under_all_of_its_addresses(
        self, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(addresses, "LOCALHOST_ADDRESSES", ("127.0.0.2", "127.0.0.1"))

        async with (
            elsewhere.serving(MemoryState(), Registry(), ANYWHERE) as (where,),
            connected(where._replace(host="localhost"), Registry()) as remote,
        ):
            assert await remote.list(KIND) == []

    async def test_a_port_that_nobody_listens_on_is_said_to_be_one(self, listener: socket.socket) -> None:
        where = address_of(listener)
        listener.close()

        assert await refusal(where) == (
            f"nobody listens on {where}: is the node running? Start it, or give the address of one that runs"
        )

    async def test_a_file_that_is_no_socket_is_said_to_be_none(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()

        assert "is not a socket" in await refusal(Address(path=str(file)))

    async def test_a_server_whose_queue_is_full_is_said_to_be_busy(self, where: Address) -> None:
        with socket.socket(socket.AF_UNIX) as full, ExitStack() as waiting:
            full.bind(where.path)
            full.listen(0)
            for _ in range(2):
                one = waiting.enter_context(socket.socket(socket.AF_UNIX))
                one.setblocking(False)
                if one.connect_ex(where.path):
                    break

            assert await refusal(where) == (
                f"too many connections wait for the node behind {where}: it is busy or stuck"
            )

    async def test_a_name_that_means_nothing_is_said_to_mean_nothing(self, client_tls: ClientTls) -> None:
        assert "can't be looked up" in await refusal(Address(host="a" * 64 + ".invalid", port=1), client_tls)


class TestWhoAnswers:
    pytestmark = pytest.mark.anyio

    @pytest.mark.parametrize("encrypted", [False, True], ids=["plain text", "TLS"])
    async def test_a_server_that_says_nothing_is_waited_for_only_so_long(
        self, listener: socket.socket, client_tls: ClientTls, monkeypatch: pytest.MonkeyPatch, encrypted: bool
    ) -> None:
        monkeypatch.setattr(dialer, "CONNECT_SECONDS", TOO_LONG_SECONDS)
        where = address_of(listener)

        told = await refusal(where, client_tls if encrypted else None)

        assert told == f"{where} did not answer within {TOO_LONG_SECONDS:g} s: it is busy or stuck"

    async def test_a_server_that_was_waited_for_long_enough_is_hung_up_on(
        self, where: Address, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dialer, "CONNECT_SECONDS", TOO_LONG_SECONDS)

        async with listening(where, greets=False) as server, calling(where) as calls:
            with pytest.raises(errors.Unavailable):
                await get(calls)
            await (await server.accepted()).end()

    @pytest.mark.parametrize(
        ("greeting", "recognised"),
        [
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "it speaks HTTP/1 instead of gRPC"),
            (b"\x15\x03\x01\0\x02\x02\x46", "it speaks TLS, and this connection is plain text"),
        ],
        ids=["HTTP/1", "TLS"],
    )
    async def test_a_server_that_speaks_something_else_is_recognised(
        self, where: Address, greeting: bytes, recognised: str
    ) -> None:
        async with listening(where, greets=False) as server:
            asking = ask(refusal(where))
            await (await server.accepted()).say(greeting)

            assert recognised in await asking

    async def test_a_server_that_leaves_instead_of_greeting_is_said_to_have_left(self, where: Address) -> None:
        async with listening(where, greets=False) as server:
            asking = ask(refusal(where))
            peer = await server.accepted()
            await peer.until(lambda: peer.heard)
            await peer.hang_up()

            assert await asking == f"the server at {where} closed the connection"


class TestTls:
    pytestmark = pytest.mark.anyio

    async def test_both_sides_know_each_other_by_their_certificates(
        self, elsewhere: Elsewhere, server_tls: ServerTls, client_tls: ClientTls
    ) -> None:
        async with (
            elsewhere.serving(MemoryState(), sample_registry(), ANYWHERE, tls=server_tls) as (where,),
            connected(where, sample_registry(), tls=client_tls) as remote,
            remote.watch_kind(KIND) as watch,
        ):
            await remote.create(path("a"))
            (event,) = await watch.batch()

        assert event.resource is not None
        assert event.resource.pointer == PathResource.pointer_to("a")

    async def test_a_server_that_hangs_up_without_a_goodbye_in_tls_has_hung_up(
        self, server_tls: ServerTls, client_tls: ClientTls, listener: socket.socket
    ) -> None:
        where = address_of(listener)
        listener.close()

        async with listening(where, tls=server_tls.context()) as server, calling(where, client_tls) as calls:
            asking = ask(get(calls))
            peer = await server.accepted()
            await peer.called()
            await peer.settle()
            await peer.hang_up()

            with pytest.raises(errors.Unavailable, match=f"the server at {where} closed the connection"):
                await asking

    async def test_a_certificate_that_is_not_accepted_is_said_to_be_the_reason(
        self, elsewhere: Elsewhere, authority: Authority, server_tls: ServerTls, client_tls: ClientTls
    ) -> None:
        misled = ClientTls(authority.certificate, client_tls.identity, server_name="another.example")

        async with elsewhere.serving(MemoryState(), Registry(), ANYWHERE, tls=server_tls) as (where,):
            told = await refusal(where, misled)

        assert told.startswith(f"the certificate of {where} is not accepted: ")
        assert "another.example" in told

    async def test_a_handshake_that_fails_leaves_no_connection_behind(
        self, elsewhere: Elsewhere, server_tls: ServerTls, tmp_path: Path
    ) -> None:
        stranger = ClientTls(Authority(tmp_path / "stranger").certificate)

        async with elsewhere.serving(MemoryState(), Registry(), ANYWHERE, tls=server_tls) as (where,):
            await refusal(where, stranger)

        gc.collect()
        assert [each for each in gc.get_objects() if isinstance(each, Connection)] == []

    async def test_a_client_that_the_server_does_not_accept_is_told_so(
        self, elsewhere: Elsewhere, authority: Authority, server_tls: ServerTls
    ) -> None:
        async with elsewhere.serving(MemoryState(), Registry(), ANYWHERE, tls=server_tls) as (where,):
            told = await refusal(where, ClientTls(authority.certificate))

        assert told.startswith((f"the connection to {where} broke", f"the server at {where} closed the connection"))

    async def test_a_server_that_does_not_agree_to_http_2_is_not_spoken_to(
        self, server_tls: ServerTls, client_tls: ClientTls, listener: socket.socket
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_tls.identity.load_into(context)
        where = address_of(listener)
        listener.close()

        async with listening(where, tls=context):
            assert await refusal(where, client_tls) == f"{where} does not speak HTTP/2 (no ALPN h2)"

    async def test_the_connection_says_that_it_is_encrypted_and_by_which_name(
        self, authority: Authority, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(channel, "CLOSE_SECONDS", 0.01)  # this server does not part in good order
        identity = Identity(*authority.issue("named", alternative="DNS:node.example"))
        context = ServerTls(identity, None).context()
        where = address_of(listener)
        listener.close()

        async with (
            listening(where, tls=context) as server,
            calling(where, ClientTls(authority.certificate, server_name="node.example")) as calls,
        ):
            asking = ask(get(calls))
            peer = await server.accepted()
            stream_id = await peer.called()
            await peer.answer(stream_id)
            await asking

        headers = peer.headers[stream_id]
        assert (headers[":scheme"], headers[":authority"]) == ("https", "node.example")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop")])
async def test_uvloop_carries_plain_text_and_tls_as_well(
    server_tls: ServerTls, client_tls: ClientTls, where: Address
) -> None:
    pytest.importorskip("uvloop")

    async with serving(MemoryState(), Registry(), [ANYWHERE, where], tls=server_tls) as taken:
        for address in taken:
            async with connected(address, Registry(), tls=client_tls) as remote:
                assert await remote.list(KIND) == []
