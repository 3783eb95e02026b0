"""A connection that can be cut: a unix socket that passes bytes on to another one until a test says stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from cosi.rpc.address import Address

CHUNK_BYTES = 1 << 16


class BreakableProxy:
    """Passes bytes both ways for every client."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()

    async def cut(self) -> None:
        """Break all connections off; new ones are welcome."""
        for writer in self._open:
            writer.transport.abort()
        while self._pumps:
            await asyncio.wait(set(self._pumps))

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(self._target.path)
        for source, sink in ((reader, server_writer), (server_reader, writer)):
            self._open.add(sink)
            pump = asyncio.ensure_future(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(CHUNK_BYTES):
                sink.write(data)
                await sink.drain()
        self._open.discard(sink)
        sink.close()
        with suppress(ConnectionError):
            await sink.wait_closed()


@asynccontextmanager
async def breakable(at: Address, target: Address) -> AsyncIterator[BreakableProxy]:
    """Listen at one socket for clients of the other while the body runs."""
    proxy = BreakableProxy(target)
    server = await asyncio.start_unix_server(proxy.accept, at.path)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.cut()
        await server.wait_closed()
