"""Prometheus gets its numbers over HTTP, and nobody gets anything else, or more than their share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from cosi.cli import scraping
from cosi.cli.scraping import MAX_CONNECTIONS, MAX_HEAD_BYTES, answering_scrapes
from cosi.rpc.address import Address

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop to run on."""
    return str(request.param)


@asynccontextmanager
async def scraped() -> AsyncIterator[Address]:
    with anyio.fail_after(20):
        async with answering_scrapes(Address(host="127.0.0.1", port=0), lambda: "answer 42\n") as where:
            yield where


async def ask(where: Address, request: bytes) -> bytes:
    """Send something and return all that comes until the server hangs up."""
    answer = b""
    async with await anyio.connect_tcp(where.host, where.port) as stream:
        try:
            await stream.send(request)
            while True:
                answer += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return answer


async def test_a_scrape_is_answered() -> None:
    async with scraped() as where:
        answer = await ask(where, b"GET /metrics?x=1 HTTP/1.1\r\nHost: here\r\n\r\n")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Type: text/plain; version=0.0.4" in head
    assert b"Content-Length: 10" in head
    assert body == b"answer 42\n"


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET / HTTP/1.1", b"404"),
        (b"POST /metrics HTTP/1.1", b"405"),
        (b"\xff\xfe\x00", b"404"),
        (b"GET /metrics", b"200"),
        (b"HEAD /metrics HTTP/1.0", b"200"),
    ],
)
async def test_what_else_is_asked_gets_a_short_answer(request_line: bytes, status: bytes) -> None:
    async with scraped() as where:
        answer = await ask(where, request_line + b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 " + status)


async def test_a_request_without_an_end_is_cut_off() -> None:
    async with scraped() as where:
        answer = await ask(where, b"x" * (MAX_HEAD_BYTES + 1))

    assert answer.startswith(b"HTTP/1.1 431") or not answer  # or the connection was reset while it was still sending


async def test_connections_that_say_nothing_are_hung_up_on_and_others_get_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scraping, "ANSWER_SECONDS", 0.2)
    async with scraped() as where:
        silent = [await anyio.connect_tcp(where.host, where.port) for _ in range(MAX_CONNECTIONS)]
        for stream in silent:
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            await stream.aclose()
        answer = await ask(where, b"GET /metrics HTTP/1.1\r\n\r\n")

    assert answer.endswith(b"answer 42\n")
