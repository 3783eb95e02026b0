"""TLS over buffers in memory, against Python's own client on the other end."""

from __future__ import annotations

import ssl
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosi.rpc.native.tls_layer import MAX_EARLY_BYTES, MAX_HANDSHAKE_BYTES, STEP_BYTES, TlsFailed, TlsLayer
from cosi.rpc.tls import Certificates, ClientTls, Identity, ServerTls
from tests.cosi.rpc.certificates import ED25519, P256, RSA, Authority

KINDS = {"Ed25519": ED25519, "P-256": P256, "RSA": RSA}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
HOST = "127.0.0.1"
ENDED = b""  # what a client reads at the end of a connection


class Client:
    """A client's TLS over two buffers in memory; what it says waits in `said`."""

    def __init__(self, context: ssl.SSLContext, name: str = HOST, session: ssl.SSLSession | None = None) -> None:
        self._heard = ssl.MemoryBIO()
        self.said = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._heard, self.said, server_hostname=name, session=session)
        self.hear(b"")

    def hear(self, data: bytes) -> None:
        """Take bytes from the server and go on with the handshake."""
        self._heard.write(data)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()

    def read(self, data: bytes) -> bytes:
        """Take bytes from the server and return the plaintext in them."""
        self._heard.write(data)
        plaintext = b""
        with suppress(ssl.SSLWantReadError):
            while piece := self.tls.read(1 << 20):
                plaintext += piece
        return plaintext

    def say(self, plaintext: bytes) -> bytes:
        """Return the ciphertext of a plaintext."""
        self.tls.write(plaintext)
        return self.said.read()

    def say_goodbye(self) -> bytes:
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.said.read()


def shake_hands(layer: TlsLayer, client: Client) -> None:
    """Carry bytes between both until neither has anything more to say. Raises what either finds wrong."""
    while due := client.said.read():
        layer.receive(due)
        client.hear(layer.data_to_send())


def connected(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[TlsLayer, Client]:
    layer, other = TlsLayer(server), Client(client)
    shake_hands(layer, other)
    assert layer.established
    return layer, other


def deliver(data: bytes, layer: TlsLayer, sizes: list[int]) -> bytes:
    """Hand a layer bytes in pieces of these sizes, over and over, and return the plaintext in them."""
    plaintext = b""
    position = 0
    for size in cycle(sizes):
        if position >= len(data):
            break
        plaintext += layer.receive(data[position : position + size])
        position += size
    return plaintext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), kind=ED25519)


@pytest.fixture(scope="module")
def identities(authority: Authority) -> dict[str, Identity]:
    return {name: Identity(*authority.issue(name, kind)) for name, kind in KINDS.items()}


@pytest.fixture(scope="module")
def identity(identities: dict[str, Identity]) -> Identity:
    return identities["Ed25519"]


@pytest.fixture(scope="module")
def server(authority: Authority, identity: Identity) -> ssl.SSLContext:
    return ServerTls(identity, authority.certificate).context()


@pytest.fixture(scope="module")
def client(authority: Authority, identity: Identity) -> ssl.SSLContext:
    return ClientTls(authority.certificate, identity).context()


@pytest.fixture
def at_most(authority: Authority, identity: Identity, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that knows no newer version."""
    context = ClientTls(authority.certificate, identity).context()
    context.maximum_version = version
    return context


# --- the handshake ---


@pytest.mark.parametrize("servers", KINDS)
@pytest.mark.parametrize("clients", KINDS)
def test_keys_of_all_kinds_get_along(
    authority: Authority, identities: dict[str, Identity], servers: str, clients: str
) -> None:
    server = ServerTls(identities[servers], authority.certificate)
    client = ClientTls(authority.certificate, identities[clients])

    layer, other = connected(server.context(), client.context())

    assert layer.receive(other.say(b"question")) == b"question"
    assert other.read(layer.send(b"answer")) == b"answer"
    assert layer.peer_certificate == ssl.PEM_cert_to_DER_cert(identities[clients].certificate.decode())


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_that_http2_allows_are_spoken(server: ssl.SSLContext, at_most: ssl.SSLContext) -> None:
    layer, other = connected(server, at_most)

    assert other.tls.version() == at_most.maximum_version.name.replace("_", ".")
    assert layer.receive(other.say(b"question")) == b"question"
    assert other.read(layer.send(b"answer")) == b"answer"


def test_an_older_version_is_refused(server: ssl.SSLContext, authority: Authority, identity: Identity) -> None:
    old = ClientTls(authority.certificate, identity).context()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    layer, other = TlsLayer(server), Client(old)

    with pytest.raises(TlsFailed, match="the TLS handshake failed: unsupported protocol"):
        shake_hands(layer, other)
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        other.hear(layer.data_to_send())


def test_a_stranger_is_refused_and_told_so(server: ssl.SSLContext, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger", "stranger")
    mallory = ClientTls(authority.certificate, Identity(*stranger.issue("mallory")))
    layer, other = TlsLayer(server), Client(mallory.context())

    with pytest.raises(TlsFailed, match="the client's certificate is not accepted: unable to get local issuer"):
        shake_hands(layer, other)

    assert not layer.established
    with pytest.raises(ssl.SSLError, match="unknown ca"):
        other.read(layer.data_to_send())


def test_who_shows_no_certificate_is_refused(server: ssl.SSLContext, authority: Authority) -> None:
    layer, nobody = TlsLayer(server), Client(ClientTls(authority.certificate).context())

    with pytest.raises(TlsFailed, match="the TLS handshake failed: peer did not return a certificate"):
        shake_hands(layer, nobody)


def test_a_server_that_asks_nobody_answers_everybody(authority: Authority, identity: Identity) -> None:
    layer, nobody = connected(ServerTls(identity, None).context(), ClientTls(authority.certificate).context())

    assert layer.receive(nobody.say(b"question")) == b"question"
    assert layer.peer_certificate is None


@pytest.mark.parametrize("offered", [[], ["http/1.1"]])
@pytest.mark.parametrize("version", VERSIONS)
def test_who_does_not_speak_http2_is_sent_away(
    server: ssl.SSLContext, at_most: ssl.SSLContext, offered: list[str]
) -> None:
    at_most.set_alpn_protocols(offered)
    layer, other = TlsLayer(server), Client(at_most)

    with pytest.raises(TlsFailed, match=r"the client does not speak HTTP/2 \(no ALPN h2\)"):
        shake_hands(layer, other)

    assert not layer.established
    other.hear(layer.data_to_send())
    assert other.read(b"") == ENDED


def test_a_client_that_finds_the_server_false_ends_the_handshake(
    server: ssl.SSLContext, authority: Authority, identity: Identity
) -> None:
    context = ClientTls(authority.certificate, identity, server_name="elsewhere.example")
    layer, other = TlsLayer(server), Client(context.context(), context.name_of(HOST))

    with pytest.raises(ssl.SSLCertVerificationError, match=r"elsewhere\.example"):
        shake_hands(layer, other)
    with pytest.raises(TlsFailed, match=r"the TLS handshake failed: .*alert bad certificate"):
        layer.receive(other.said.read())


def test_plain_text_is_recognized(server: ssl.SSLContext) -> None:
    with pytest.raises(TlsFailed, match="the client does not speak TLS"):
        TlsLayer(server).receive(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


@given(
    garbage=st.binary(), opening=st.sampled_from([b"", b"\x16", b"\x16\x03\x01", b"\x16\x03\x01\x00\x04\x01\x00\x00"])
)
@example(garbage=b"\xff\xff", opening=b"\x16\x03\x01")
def test_garbage_fails_or_waits_for_more(server: ssl.SSLContext, opening: bytes, garbage: bytes) -> None:
    layer = TlsLayer(server)

    with suppress(TlsFailed):
        assert layer.receive(opening + garbage) == b""

    assert not layer.established


@given(position=st.integers(min_value=0), flipped=st.integers(1, 255))
def test_a_damaged_greeting_fails_or_is_taken_for_another(
    server: ssl.SSLContext, client: ssl.SSLContext, position: int, flipped: int
) -> None:
    greeting = bytearray(Client(client).said.read())
    greeting[position % len(greeting)] ^= flipped
    layer = TlsLayer(server)

    with suppress(TlsFailed):
        assert layer.receive(bytes(greeting)) == b""

    assert not layer.established


@pytest.mark.parametrize("size", [1000, 1 << 20], ids=["in pieces", "at once"])
def test_an_endless_handshake_is_cut_off(server: ssl.SSLContext, size: int) -> None:
    layer = TlsLayer(server)
    record = b"\x16\x03\x01\x40\x00"
    greeting = b"\x01\x01\xff\xff" + bytes(0x3FFC)  # announces 128 KiB, of which 16 are here
    flood = record + greeting + (record + bytes(0x4000)) * 7

    with pytest.raises(TlsFailed, match=f"more than {MAX_HANDSHAKE_BYTES} bytes and the TLS handshake is not over"):
        deliver(flood, layer, [size])


# --- messages ---


@given(
    sizes=st.lists(st.integers(1, 2000), min_size=1),
    messages=st.lists(st.binary(min_size=1, max_size=40_000), min_size=1, max_size=3),
)
@example(sizes=[1], messages=[b"question"])
def test_how_the_bytes_are_cut_into_pieces_changes_nothing(
    server: ssl.SSLContext, client: ssl.SSLContext, sizes: list[int], messages: list[bytes]
) -> None:
    layer, other = TlsLayer(server), Client(client)
    while due := other.said.read():
        assert deliver(due, layer, sizes) == b""
        other.hear(layer.data_to_send())
    assert layer.established

    for message in messages:
        assert deliver(other.say(message), layer, sizes) == message
        assert other.read(layer.send(message)) == message


@pytest.mark.parametrize("size", [0, 1, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 4 << 20])
def test_a_message_may_be_as_large_as_it_likes(server: ssl.SSLContext, client: ssl.SSLContext, size: int) -> None:
    layer, other = connected(server, client)
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)

    assert layer.receive(other.say(message)) == message
    assert other.read(layer.send(message)) == message


def test_what_comes_right_behind_the_handshake_counts_no_more_as_handshake(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    layer, other = TlsLayer(server), Client(client)
    layer.receive(other.said.read())
    other.hear(layer.data_to_send())
    impatient = bytes(MAX_HANDSHAKE_BYTES * 3)

    assert layer.receive(other.said.read() + other.say(impatient)) == impatient


def test_what_is_sent_before_the_handshake_is_over_arrives_after_it(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    layer, other = TlsLayer(server), Client(client)

    assert layer.send(b"set") + layer.send(b"tings") == b""
    layer.receive(other.said.read())
    other.hear(layer.data_to_send())
    layer.receive(other.said.read())

    assert other.read(layer.data_to_send()) == b"settings"
    assert other.read(layer.send(b"answer")) == b"answer"


def test_only_so_much_waits_for_the_handshake(server: ssl.SSLContext) -> None:
    layer = TlsLayer(server)
    layer.send(bytes(MAX_EARLY_BYTES))

    with pytest.raises(TlsFailed, match="before the TLS handshake was over"):
        layer.send(b"x")


def test_a_damaged_record_breaks_the_connection_and_the_client_is_told(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    layer, other = connected(server, client)
    record = bytearray(other.say(b"question"))
    record[-1] ^= 1

    with pytest.raises(TlsFailed, match="the TLS connection broke: decryption failed or bad record mac"):
        layer.receive(bytes(record))
    with pytest.raises(ssl.SSLError, match="alert bad record mac"):
        other.read(layer.data_to_send())


# --- the end ---


def test_a_client_that_says_goodbye_still_gets_its_answer(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    layer, other = connected(server, client)

    assert layer.receive(other.say(b"question") + other.say_goodbye()) == b"question"
    assert layer.ended
    assert other.read(layer.send(b"answer")) == b"answer"
    with pytest.raises(ssl.SSLZeroReturnError):
        other.read(layer.close())


def test_what_comes_behind_a_goodbye_is_ignored(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    layer, other = connected(server, client)

    assert layer.receive(other.say_goodbye() + bytes(STEP_BYTES * 2)) == b""
    assert layer.receive(b"more") == b""


def test_after_our_goodbye_the_client_is_heard_until_it_says_its_own(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> None:
    layer, other = connected(server, client)
    on_its_way = other.say(b"question")

    goodbye = layer.close()

    assert other.read(goodbye) == ENDED
    assert layer.receive(on_its_way) == b"question"
    assert not layer.ended
    assert layer.receive(other.say_goodbye()) == b""
    assert layer.ended
    assert layer.close() == b""


def test_nothing_can_be_sent_after_our_goodbye(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    layer, _ = connected(server, client)
    layer.close()

    with pytest.raises(TlsFailed, match="nothing can be sent: protocol is shutdown"):
        layer.send(b"answer")


def test_there_is_no_goodbye_where_there_was_no_handshake(server: ssl.SSLContext) -> None:
    assert TlsLayer(server).close() == b""


# --- other certificates while the server runs ---


def test_new_certificates_are_for_new_connections_and_old_connections_go_on(
    authority: Authority, identity: Identity, client: ssl.SSLContext, tmp_path: Path
) -> None:
    other_authority = Authority(tmp_path / "other", "other")
    certificates = Certificates(ServerTls(identity, authority.certificate))
    old, old_client = connected(certificates.context, client)

    certificates.reload(ServerTls(identity, other_authority.certificate))

    assert old.receive(old_client.say(b"question")) == b"question"
    with pytest.raises(TlsFailed, match="the client's certificate is not accepted"):
        shake_hands(TlsLayer(certificates.context), Client(client))
    new_client = ClientTls(authority.certificate, Identity(*other_authority.issue("new")))
    connected(certificates.context, new_client.context())


@pytest.mark.parametrize("version", VERSIONS)
def test_no_session_survives_new_certificates(
    authority: Authority, identity: Identity, at_most: ssl.SSLContext
) -> None:
    certificates = Certificates(ServerTls(identity, authority.certificate))
    layer, other = connected(certificates.context, at_most)
    other.read(layer.send(b"answer"))
    assert other.tls.session is not None
    assert not other.tls.session.has_ticket
    certificates.reload(certificates.tls)

    again = Client(at_most, session=other.tls.session)
    shake_hands(TlsLayer(certificates.context), again)

    assert not again.tls.session_reused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2])
def test_who_resumes_a_session_is_still_known(
    server: ssl.SSLContext, at_most: ssl.SSLContext, identity: Identity
) -> None:
    layer, other = connected(server, at_most)
    other.read(layer.close())

    again, resuming = TlsLayer(server), Client(at_most, session=other.tls.session)
    shake_hands(again, resuming)

    assert resuming.tls.session_reused
    assert again.peer_certificate == ssl.PEM_cert_to_DER_cert(identity.certificate.decode())
