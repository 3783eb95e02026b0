"""A challenge is read leniently, and whom it may send us to is decided strictly."""

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.challenge import Challenge, base_url, is_loopback, may_follow, token_of


def test_a_bearer_challenge_is_read() -> None:
    header = 'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:a/b:pull"'

    assert Challenge.parse(header) == Challenge("bearer", "https://ghcr.io/token", "ghcr.io", "repository:a/b:pull")


@pytest.mark.parametrize(
    ("origin", "target", "allowed"),
    [
        ("https://ghcr.io", "https://pkg.githubusercontent.example/x", True),
        ("https://ghcr.io", "http://ghcr.io/x", False),
        ("https://ghcr.io", "http://127.0.0.1/x", False),
        ("https://ghcr.io", "https://localhost/x", False),
        ("https://ghcr.io", "https://user:x@ghcr.io/", False),
        ("http://127.0.0.1:5000", "http://localhost:5001/x", True),
        ("http://127.0.0.1:5000", "https://ghcr.io/x", True),
        ("http://127.0.0.1:5000", "http://ghcr.io/x", False),
    ],
)
def test_nobody_out_there_may_send_us_here_or_into_the_clear(origin: str, target: str, *, allowed: bool) -> None:
    assert may_follow(httpx2.URL(origin), httpx2.URL(target)) is allowed


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("127.8.9.1", True), ("::1", True), ("localhost.example", False), ("10.0.0.1", False)],
)
def test_loopback_is_told_by_the_name_alone(host: str, *, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ("localhost:5000", "http://localhost:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
    ],
)
def test_plain_http_is_for_this_machine_alone(host: str, url: str) -> None:
    assert str(base_url(host)).rstrip("/") == url


@pytest.mark.parametrize(
    ("body", "token"),
    [
        (b'{"token":"a"}', "a"),
        (b'{"access_token":"b"}', "b"),
        (b'{"token":"a\\r\\nx: y"}', None),
        (b"{}", None),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_a_token_must_fit_into_a_header(body: bytes, token: str | None) -> None:
    assert token_of(body) == token


@given(st.text(max_size=200))
def test_any_header_is_read_or_passed_over(header: str) -> None:
    challenge = Challenge.parse(header)

    assert challenge is None or challenge.scheme.isalpha()
