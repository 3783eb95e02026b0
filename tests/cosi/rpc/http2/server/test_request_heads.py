"""What a call's headers say reaches its user: method, deadline, metadata. Those that make no sense are refused."""

from binascii import b2a_base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2 import limits
from cosi.rpc.http2.grpc_request import request_headers
from cosi.rpc.http2.hpack import ENTRY_OVERHEAD_BYTES, Header, encode_block
from cosi.rpc.http2.request_head import RequestHead
from cosi.rpc.http2.server_events import Began
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import GRPC, Peer, block, changed, message, request

KEYS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20).map("cosi-".__add__)
TEXTS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip)
METADATA = st.lists(
    st.tuples(KEYS.filter(lambda key: not key.endswith("-bin")), TEXTS)
    | st.tuples(KEYS.map("{}-bin".format), st.binary(max_size=30)),
    max_size=8,
)


REFUSED = [
    pytest.param(changed(GRPC, {"grpc-encoding": "gzip"}), id="compressed"),
    pytest.param(changed(GRPC, {"grpc-timeout": "soon"}), id="malformed deadline"),
    pytest.param(changed(GRPC, {"cosi-bin": "?"}), id="malformed metadata"),
]


def head_of(fields: tuple[Header, ...]) -> RequestHead:
    (event,) = Peer().send(request(1, fields))
    assert isinstance(event, Began)
    return event.head


def test_a_method_is_called_by_its_path_and_authority() -> None:
    head = head_of(changed(GRPC, {":path": "/cosi.resource.State/Get", ":authority": "node.example:50000"}))

    assert head.path == "/cosi.resource.State/Get"
    assert head.authority == "node.example:50000"
    assert head.timeout_seconds is None
    assert head.metadata == ()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_authority_may_be_missing_and_the_scheme_be_either(scheme: str) -> None:
    assert head_of(changed(GRPC, {":authority": None, ":scheme": scheme})).authority == ""


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1H", 3600.0),
        ("2M", 120.0),
        ("3S", 3.0),
        ("4m", 0.004),
        ("5u", 0.000005),
        ("6n", 0.000000006),
        ("0S", 0.0),
        ("007S", 7.0),
        ("99999999H", 99_999_999 * 3600.0),
        ("99999999n", 0.099999999),
    ],
)
def test_a_deadline_may_come_in_any_unit(text: str, seconds: float) -> None:
    assert head_of(changed(GRPC, {"grpc-timeout": text})).timeout_seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "1", "S", "1s", "1h", "-1S", "+1S", "1.5S", "1 S", "0x1S", "123456789S", "1SS", "1S,2S", "\xb2S"]
)
def test_a_malformed_deadline_is_refused(text: str) -> None:
    peer = Peer()
    timeout = (b"grpc-timeout", text.encode("latin-1"))

    events = peer.send(request(1, (*GRPC, timeout)), message(1, end=True))

    assert events == []
    assert peer.answer(1).code is Code.INTERNAL
    assert "grpc-timeout" in peer.answer(1).message
    assert peer.answer(1).ended
    assert peer.connection.open_streams == 0


@given(METADATA)
def test_metadata_comes_as_it_was_sent(metadata: list[tuple[str, str | bytes]]) -> None:
    headers = request_headers(path="/a/b", authority="localhost", metadata=metadata, timeout_seconds=3)

    head = head_of(tuple(headers))

    assert [item for item in head.metadata if item[0] != "user-agent"] == metadata


@given(st.binary(max_size=40), st.booleans())
def test_binary_metadata_may_be_padded_or_not(content: bytes, padded: bool) -> None:
    text = b2a_base64(content, newline=False)

    head = head_of((*GRPC, (b"x-bin", text if padded else text.rstrip(b"="))))

    assert head.metadata == (("x-bin", content),)


@given(st.lists(st.binary(max_size=10), min_size=1, max_size=5))
def test_binary_metadata_may_be_joined_by_commas(contents: list[bytes]) -> None:
    text = b",".join(b2a_base64(content, newline=False) for content in contents)

    head = head_of((*GRPC, (b"x-bin", text)))

    assert head.metadata == tuple(("x-bin", content) for content in contents)


@pytest.mark.parametrize("text", ["A", "AAAAA", "A=", "ÿ", "AA AA", "AA==AA", "*"])
def test_binary_metadata_that_is_none_is_refused(text: str) -> None:
    peer = Peer()

    events = peer.send(request(1, (*GRPC, (b"x-bin", text.encode("latin-1")))), message(1, end=True))

    assert events == []
    assert peer.answer(1).code is Code.INTERNAL
    assert "x-bin" in peer.answer(1).message


def test_a_key_may_come_more_than_once() -> None:
    head = head_of((*GRPC, (b"cosi-a", b"one"), (b"cosi-b", b""), (b"cosi-a", b"two")))

    assert head.metadata == (("cosi-a", "one"), ("cosi-b", ""), ("cosi-a", "two"))


def test_headers_of_the_protocol_are_no_metadata() -> None:
    fields = changed(GRPC, {"grpc-accept-encoding": "gzip", "grpc-encoding": "identity", "grpc-timeout": "1S"})

    assert head_of((*fields, (b"host", b"elsewhere"))).metadata == ()


def list_bytes(fields: tuple[Header, ...]) -> int:
    return sum(len(name) + len(value) + ENTRY_OVERHEAD_BYTES for name, value in fields)


def test_headers_may_be_as_large_as_the_limit_and_no_larger() -> None:
    room = limits.MAX_LIST_BYTES - list_bytes((*GRPC, (b"cosi-a", b"")))
    peer = Peer()

    for stream_id, size in ((1, room), (3, room + 1)):
        peer.send(block(stream_id, encode_block((*GRPC, (b"cosi-a", b"x" * size)))))

    assert list(peer.calls) == [1]
    assert peer.answer(3).code is Code.RESOURCE_EXHAUSTED
    assert str(limits.MAX_LIST_BYTES) in peer.answer(3).message


def test_headers_too_large_cost_one_call_and_leave_the_table_in_step() -> None:
    peer = Peer()
    call, large = encode_block(GRPC), encode_block([(b"cosi-a", b"x" * limits.MAX_LIST_BYTES)])

    peer.send(block(1, call + large + b"\x40\x06cosi-b\x03two", end=True), block(3, call + b"\xbe"))

    assert peer.answer(1).code is Code.RESOURCE_EXHAUSTED
    assert [event.head.metadata for event in peer.events if isinstance(event, Began)] == [(("cosi-b", "two"),)]


@pytest.mark.parametrize("fields", REFUSED)
def test_a_refused_call_whose_request_is_over_is_over(fields: tuple[Header, ...]) -> None:
    peer = Peer()

    events = peer.send(request(1, fields, end=True))

    assert events == []
    assert peer.answer(1).ended
    assert peer.answer(1).reset is None
    assert peer.connection.open_streams == 0


@pytest.mark.parametrize("fields", REFUSED)
def test_a_refused_call_whose_request_goes_on_is_not_listened_to(fields: tuple[Header, ...]) -> None:
    peer = Peer()

    peer.send(request(1, fields))
    events = peer.send(message(1, b"question"), message(1, b"more", end=True))

    assert events == []
    assert peer.answer(1).ended
    assert peer.connection.open_streams == 0
