"""What a call sends first."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.rpc.http2.grpc_request import envelope, request_headers
from cosi.rpc.http2.hpack import Header


def headers_with(**options: object) -> list[Header]:
    return request_headers(path="/service/Method", authority="localhost", **options)  # type: ignore[arg-type]


def test_a_call_names_itself_as_grpc_asks() -> None:
    headers = headers_with()

    assert headers[:4] == [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/service/Method"),
        (b":authority", b"localhost"),
    ]
    assert (b"te", b"trailers") in headers
    assert (b"content-type", b"application/grpc") in headers
    assert b"grpc-timeout" not in dict(headers)


def test_a_message_travels_behind_its_length() -> None:
    assert envelope(b"abc") == b"\0\0\0\0\3abc"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, b"1m"), (0.0001, b"1m"), (1.5, b"1501m"), (3600, b"3600001m"), (200_000, b"200001S"), (1e12, b"99999999S")],
)
def test_a_timeout_is_rounded_up_and_fits_eight_digits(seconds: float, text: bytes) -> None:
    assert dict(headers_with(timeout_seconds=seconds))[b"grpc-timeout"] == text


@settings(deadline=None)
@given(st.floats(0, 9e7))
def test_the_server_never_gives_up_before_the_client(seconds: float) -> None:
    text = dict(headers_with(timeout_seconds=seconds))[b"grpc-timeout"]

    assert len(text) <= 9
    assert int(text[:-1]) * {b"m": 0.001, b"S": 1}[text[-1:]] >= seconds


def test_metadata_is_sent_in_order_and_bytes_in_base64() -> None:
    headers = headers_with(metadata=[("trace", "a b"), ("trace", "c"), ("key-bin", b"\0\xff"), ("text-bin", "ü")])

    assert headers[-4:] == [(b"trace", b"a b"), (b"trace", b"c"), (b"key-bin", b"AP8"), (b"text-bin", b"w7w")]


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("Upper", "x", "'Upper' is no metadata key"),
        ("", "x", "'' is no metadata key"),
        (":path", "x", "':path' is no metadata key"),
        ("grpc-timeout", "x", "'grpc-timeout' is no metadata key"),
        ("key", b"x", "'key' has bytes: only keys that end in '-bin' may"),
        ("key", "ü", "'key' has characters outside printable ASCII"),
        ("key", "a\r\nb", "'key' has characters outside printable ASCII"),
    ],
)
def test_metadata_that_grpc_cannot_carry_is_refused(key: str, value: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        headers_with(metadata=[(key, value)])
