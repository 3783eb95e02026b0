"""What goes out around the messages of an answer."""

import re
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2 import grpc_answer
from cosi.rpc.http2.events import Ended, ResponseHeaders
from cosi.rpc.http2.grpc_response import GrpcResponse
from cosi.rpc.http2.hpack import Header, HeaderDecoder
from cosi.rpc.http2.status import Code

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))  # whatever UTF-8 can say


def decode(block: bytes) -> list[Header]:
    return HeaderDecoder(max_list_bytes=1 << 20).decode(block)


@pytest.mark.parametrize(
    "block",
    [
        grpc_answer.HEADERS,
        grpc_answer.OK_TRAILERS,
        grpc_answer.trailers_block(Code.ABORTED, "gone", [(b"a", b"b")], only=True),
        grpc_answer.http_block(405, 12),
    ],
    ids=["headers", "OK trailers", "trailers", "HTTP"],
)
@pytest.mark.parametrize("table_bytes", [0, 100, 4096])
def test_a_block_is_good_for_any_connection_at_any_time(block: bytes, table_bytes: int) -> None:
    decoder = HeaderDecoder(max_table_bytes=table_bytes)
    decoder.decode(b"\x40\x01a\x01b\x40\x01c\x01d")

    assert decoder.decode(block) == decode(block)
    assert decoder.table == ()


def test_an_answer_begins_as_grpc_asks() -> None:
    assert decode(grpc_answer.HEADERS) == [(b":status", b"200"), (b"content-type", b"application/grpc")]


def test_an_answer_that_went_well_ends_with_status_zero() -> None:
    assert decode(grpc_answer.OK_TRAILERS) == [(b"grpc-status", b"0")]
    assert grpc_answer.trailers_block(Code.OK, "", (), only=False) == grpc_answer.OK_TRAILERS


@given(TEXTS)
def test_a_message_survives_its_header(message: str) -> None:
    encoded = grpc_answer.percent_encode(message)

    assert re.fullmatch(rb"[ -~]*", encoded), "only printable ASCII is safe in a header"
    assert urllib.parse.unquote(encoded.decode("ascii"), errors="strict") == message


@pytest.mark.parametrize(
    ("message", "encoded"),
    [("not found: a/b", b"not found: a/b"), ("100%", b"100%25"), ("ä\n", b"%C3%A4%0A"), ("~\x7f", b"~%7F"), ("", b"")],
)
def test_only_what_must_be_is_escaped(message: str, encoded: bytes) -> None:
    assert grpc_answer.percent_encode(message) == encoded


@given(st.sampled_from(Code), TEXTS)
def test_our_client_understands_an_error_at_once(code: Code, message: str) -> None:
    headers = decode(grpc_answer.trailers_block(code, message, (), only=True))

    ended = GrpcResponse(1).headers(headers, end_stream=True)[-1]

    assert isinstance(ended, Ended)
    assert (ended.code, ended.message) == (code, message)


@given(st.sampled_from(Code), TEXTS)
def test_our_client_understands_an_error_after_messages(code: Code, message: str) -> None:
    response = GrpcResponse(1)
    (begun,) = response.headers(decode(grpc_answer.HEADERS), end_stream=False)
    assert isinstance(begun, ResponseHeaders)

    (ended,) = response.headers(decode(grpc_answer.trailers_block(code, message, (), only=False)), end_stream=True)

    assert isinstance(ended, Ended)
    assert (ended.code, ended.message) == (code, message)


def test_a_status_without_a_message_has_no_header_for_it() -> None:
    headers = decode(grpc_answer.trailers_block(Code.NOT_FOUND, "", (), only=False))

    assert headers == [(b"grpc-status", b"5")]


def test_trailers_follow_the_status() -> None:
    headers = decode(grpc_answer.trailers_block(Code.ABORTED, "gone", [(b"cosi-error", b"Conflict")], only=False))

    assert headers == [(b"grpc-status", b"10"), (b"grpc-message", b"gone"), (b"cosi-error", b"Conflict")]


def test_plain_http_is_answered_with_plain_text_of_a_known_size() -> None:
    assert decode(grpc_answer.http_block(405, 12, [(b"allow", b"POST")])) == [
        (b":status", b"405"),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"12"),
        (b"allow", b"POST"),
    ]
