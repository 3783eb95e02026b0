"""Serves the handlers of one test on the native transport: one method for each shape, and one that answers at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from cosi.rpc.address import Address
from cosi.rpc.native.admission import LOCAL, Bounds
from cosi.rpc.native.server import serving
from cosi.rpc.seam import Bidirectional, Call, ClientStreaming, Frames, ServerStreaming, Service, Unary, frame

NAME = "test.Handlers"
UNARY, SERVER, CLIENT, BOTH, ECHO = (f"/{NAME}/{method}" for method in ("Unary", "Server", "Client", "Both", "Echo"))

PATIENCE_SECONDS = 3.0


@asynccontextmanager
async def served(
    directory: Path,
    *,
    unary: Unary | None = None,
    server: ServerStreaming | None = None,
    client: ClientStreaming | None = None,
    both: Bidirectional | None = None,
    bounds: Bounds = LOCAL,
) -> AsyncIterator[Address]:
    """Serve handlers on a socket while the body runs, which takes no longer than PATIENCE_SECONDS."""
    where = Address(path=str(directory / "socket"))
    with anyio.fail_after(PATIENCE_SECONDS):
        async with serving([service(unary=unary, server=server, client=client, both=both)], [where], None, bounds):
            yield where


def service(
    *,
    unary: Unary | None = None,
    server: ServerStreaming | None = None,
    client: ClientStreaming | None = None,
    both: Bidirectional | None = None,
) -> Service:
    """Return the service with these handlers."""
    return Service(
        NAME,
        unary={"Echo": echo} | ({"Unary": unary} if unary else {}),
        server_streaming={"Server": server} if server else {},
        client_streaming={"Client": client} if client else {},
        bidirectional={"Both": both} if both else {},
    )


async def echo(request: bytes, _: Call) -> Frames:
    """Answer with the request, at once."""
    return frame(request)


class Stay:
    """What a handler does that has nothing to say: it notes when it began to wait, and how it ended."""

    def __init__(self) -> None:
        self.began = anyio.Event()
        self.leave = anyio.Event()
        self.ended = anyio.Event()
        self.cancelled = False

    async def here(self) -> None:
        """Wait until told to leave."""
        self.began.set()
        try:
            await self.leave.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled = True
            raise
        finally:
            self.ended.set()
