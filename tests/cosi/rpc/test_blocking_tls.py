"""Over TLS the blocking client talks to servers that are who they must be, and says why not to others."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cosi.rpc import blocking_tls
from cosi.rpc.address import Address
from cosi.rpc.blocking import MessageStream
from cosi.rpc.http2 import frames
from cosi.rpc.http2.status import Code, RpcError
from cosi.rpc.tls import ClientTls, Identity, ServerTls, UnverifiedTls
from tests.cosi.rpc.certificates import ED25519, RSA, Authority, fingerprint
from tests.cosi.rpc.peers.server import NAME, Peers, serving_peers

ANYWHERE = Address(host="127.0.0.1", port=0)
LARGE = 3 << 20
TOO_LONG_SECONDS = 0.2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), kind=ED25519)


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(scope="module")
def login(authority: Authority) -> ClientTls:
    return ClientTls(authority.certificate, Identity(*authority.issue("client", ED25519)))


@pytest.fixture(scope="module")
def node(authority: Authority) -> Iterator[Address]:
    tls = ServerTls(Identity(*authority.issue("server", ED25519)), authority.certificate)
    with serving_peers(Peers(), ANYWHERE, tls) as taken:
        yield taken


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[Address]:
    """Let a function, in a thread, answer the one connection that comes."""

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            answer(accepted)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield Address(host="127.0.0.1", port=listener.getsockname()[1])
        thread.join()


def refusal(where: Address, tls: ClientTls | UnverifiedTls) -> str:
    """Return why there is no connection."""
    with pytest.raises(RpcError) as refused:
        blocking_tls.connect(where, tls)
    assert refused.value.code is Code.UNAVAILABLE
    return refused.value.message.replace(str(where), "NODE")


def test_both_sides_prove_who_they_are_and_talk(node: Address, login: ClientTls) -> None:
    with blocking_tls.connect(node, login) as channel:
        assert channel.unary(f"/{NAME}/Echo", b"hello") == b"hello"


def test_messages_of_many_records_arrive_whole(node: Address, login: ClientTls) -> None:
    with blocking_tls.connect(node, login) as channel:
        filled = channel.unary(f"/{NAME}/Fill", b"%d" % LARGE)
        echoed = channel.unary(f"/{NAME}/Echo", bytes(LARGE))

    assert filled == echoed == bytes(LARGE)


def test_a_node_may_be_reached_by_its_name(authority: Authority, login: ClientTls) -> None:
    named = ServerTls(Identity(*authority.issue("named", alternative="DNS:localhost")), authority.certificate)

    with serving_peers(Peers(), ANYWHERE, named) as taken:
        with blocking_tls.connect(taken._replace(host="localhost"), login) as channel:
            assert channel.unary(f"/{NAME}/Echo", b"hello") == b"hello"
        assert "is not accepted: IP address mismatch, certificate is not valid for" in refusal(taken, login)


def test_a_node_that_another_authority_signed_is_not_believed(
    node: Address, login: ClientTls, stranger: Authority
) -> None:
    told = refusal(node, ClientTls(stranger.certificate, login.identity))

    assert told == "the certificate of NODE is not accepted: self-signed certificate in certificate chain"


def test_a_node_whose_certificate_is_over_is_not_believed(authority: Authority, login: ClientTls) -> None:
    over = ServerTls(Identity(*authority.issue_expired("over")), authority.certificate)

    with serving_peers(Peers(), ANYWHERE, over) as taken:
        assert refusal(taken, login) == "the certificate of NODE is not accepted: certificate has expired"


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("nobody", "tlsv13 alert certificate required"),
        ("a stranger", "tlsv1 alert unknown ca"),
        ("somebody whose time is over", "sslv3 alert certificate expired"),
    ],
)
def test_who_is_not_let_in_is_told_before_the_first_call(
    node: Address, authority: Authority, stranger: Authority, who: str, why: str
) -> None:
    logins = {
        "nobody": None,
        "a stranger": Identity(*stranger.issue("mallory")),
        "somebody whose time is over": Identity(*authority.issue_expired("late")),
    }

    told = refusal(node, ClientTls(authority.certificate, logins[who]))

    assert told == f"the connection to NODE broke: it does not let this login in ({why})"


def test_a_node_that_does_not_agree_on_http2_is_refused(authority: Authority, login: ClientTls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Identity(*authority.issue("old")).load_into(context)

    def answer(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True) as old:
            old.recv(1)

    with answering(answer) as where:
        assert refusal(where, login) == "NODE does not speak HTTP/2 (no ALPN h2)"


def test_a_server_that_knows_tls_1_2_only_is_talked_to(authority: Authority, login: ClientTls) -> None:
    context = ServerTls(Identity(*authority.issue("older")), authority.certificate).context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    spoken = []

    def answer(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True) as older:
            spoken.append(older.version())
            older.sendall(frames.Settings().serialize())
            while older.recv(1 << 16):
                pass

    with answering(answer) as where:
        blocking_tls.connect(where, login).close()

    assert spoken == ["TLSv1.2"]


def test_a_server_that_speaks_plain_text_is_refused(login: ClientTls) -> None:
    def answer(accepted: socket.socket) -> None:
        accepted.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        accepted.recv(1)

    with answering(answer) as where:
        assert refusal(where, login) == "the TLS handshake with NODE failed: wrong version number"


def test_a_server_that_says_nothing_is_waited_for_only_so_long(login: ClientTls) -> None:
    def answer(accepted: socket.socket) -> None:
        while accepted.recv(1 << 16):
            pass

    with answering(answer) as where, pytest.raises(RpcError, match=r"did not answer within 0\.2 s"):
        blocking_tls.connect(where, login, timeout_seconds=TOO_LONG_SECONDS)


def test_a_server_that_shakes_hands_and_then_says_nothing_is_waited_for_only_so_long(
    authority: Authority, login: ClientTls
) -> None:
    context = ServerTls(Identity(*authority.issue("silent")), authority.certificate).context()

    def answer(accepted: socket.socket) -> None:
        with context.wrap_socket(accepted, server_side=True) as silent:
            while silent.recv(1 << 16):
                pass

    with answering(answer) as where, pytest.raises(RpcError, match="says nothing: it is stuck"):
        blocking_tls.connect(where, login, timeout_seconds=TOO_LONG_SECONDS)


def test_where_nobody_listens_or_nobody_is_called_so_is_said(login: ClientTls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        where = Address(host="127.0.0.1", port=listener.getsockname()[1])

    assert refusal(where, login).startswith("nobody listens on NODE")
    assert "NODE can't be looked up" in refusal(Address(host="a" * 64 + ".invalid", port=1), login)


@pytest.mark.parametrize("kind", [ED25519, RSA], ids=["Ed25519", "RSA"])
def test_a_node_in_maintenance_is_believed_by_its_fingerprint(authority: Authority, kind: tuple[str, ...]) -> None:
    certificate, key = authority.issue("maintenance", kind)
    printed = fingerprint(authority.file("maintenance", "pem"))

    with serving_peers(Peers(), ANYWHERE, ServerTls(Identity(certificate, key), None)) as taken:
        for tls in (UnverifiedTls(), UnverifiedTls([printed])):
            with blocking_tls.connect(taken, tls) as channel:
                assert channel.unary(f"/{NAME}/Echo", b"hello") == b"hello"
        other = "A" * 43 + "="
        assert refusal(taken, UnverifiedTls([other])) == (
            f"the certificate of NODE is not accepted: its fingerprint is {printed}, and that is none of those expected"
        )


def test_streams_of_several_channels_come_as_they_come_and_all_end(node: Address, login: ClientTls) -> None:
    with blocking_tls.connect(node, login) as one, blocking_tls.connect(node, login) as two:
        streams = [channel.stream(f"/{NAME}/Count", b"3") for channel in (one, one, two)]

        told = list(MessageStream.interleaved(streams))

    assert sorted(told) == [(position, b"%d" % number) for position in range(3) for number in range(3)]


def test_the_first_stream_that_breaks_ends_them_all(node: Address, login: ClientTls) -> None:
    with blocking_tls.connect(node, login) as channel:
        going_on = channel.stream(f"/{NAME}/Count", b"1+")
        told = MessageStream.interleaved([going_on, channel.stream("/test.Peers/Nothing", b"")])

        with pytest.raises(RpcError, match="UNIMPLEMENTED"):
            list(told)
