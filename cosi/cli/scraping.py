"""Answers Prometheus: GET /metrics over HTTP/1.1, one answer a connection, and nothing else.

Whoever connects may send so much in so much time and is then hung up on; the rest wait in line. There is nothing to
write to here, and nothing to read but numbers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.abc import SocketAttribute, SocketStream

from cosi.rpc.address import Address

PATH: Final = "/metrics"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

MAX_HEAD_BYTES: Final = 8 << 10
"""How long a request may be."""

ANSWER_SECONDS: Final = 5.0
"""How long a connection may take, from its first byte to its last."""

MAX_CONNECTIONS: Final = 16
"""How many are served at once."""


@asynccontextmanager
async def answering_scrapes(where: Address, metrics: Callable[[], str]) -> AsyncIterator[Address]:
    """Answer while the body runs; yields the address that was taken. Raises OSError if it can't be had."""
    serving = anyio.CapacityLimiter(MAX_CONNECTIONS)

    async def answer(stream: SocketStream) -> None:
        async with stream:
            with anyio.move_on_after(ANSWER_SECONDS):
                async with serving:
                    await _answer(stream, metrics)

    listening = await anyio.create_tcp_listener(local_host=where.host, local_port=where.port)
    async with listening as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no database here
        yield Address(host=where.host, port=port)
        tasks.cancel_scope.cancel()


async def _answer(stream: SocketStream, metrics: Callable[[], str]) -> None:
    head = b""
    try:
        while b"\r\n\r\n" not in head:
            if len(head) > MAX_HEAD_BYTES:
                await stream.send(_response("431 Request Header Fields Too Large", "the request is too long\n"))
                return
            head += await stream.receive()
        method, _, rest = head.decode("latin-1").partition("\r\n")[0].partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if path != PATH:
            await stream.send(_response("404 Not Found", f"there is only {PATH}\n"))
        elif method not in ("GET", "HEAD"):
            await stream.send(_response("405 Method Not Allowed", "metrics are read with GET\n"))
        else:
            await stream.send(_response("200 OK", metrics(), body=method == "GET"))
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return  # whoever asked has left


def _response(status: str, text: str, *, body: bool = True) -> bytes:
    content = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {len(content)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (content if body else b"")
