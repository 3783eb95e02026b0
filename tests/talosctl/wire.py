"""A gRPC connection over TLS on the h2 library: what our server sends is read by somebody else's code."""

from __future__ import annotations

import math
import ssl
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import unquote

import anyio
import anyio.abc
import h2.config
import h2.connection
import h2.events
from anyio.streams.memory import MemoryObjectSendStream
from anyio.streams.tls import TLSAttribute, TLSStream
from h2.connection import ConnectionInputs, ConnectionState, H2ConnectionStateMachine

from cosi.rpc.address import Address

ENVELOPE: Final = struct.Struct(">?I")
READ_BYTES: Final = 64 << 10

_ENDED: Final = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError)

Headers = Sequence[tuple[str, str]]


class _Patient(H2ConnectionStateMachine):
    """To h2 a GOAWAY is the end; gRPC's clients hear the calls that are under way to theirs."""

    _transitions = {  # noqa: RUF012 - as h2 has it
        **H2ConnectionStateMachine._transitions,
        (ConnectionState.CLIENT_OPEN, ConnectionInputs.RECV_GOAWAY): (None, ConnectionState.CLIENT_OPEN),
    }


class CallFailed(Exception):
    """A call ended with a status that is not OK."""

    def __init__(self, code: int, message: str, trailers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.trailers = trailers or {}


class Wire:
    """An open connection; calls run side by side on it."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self._h2.state_machine = _Patient()
        self._calls: dict[int, MemoryObjectSendStream[h2.events.Event]] = {}
        self._sending = anyio.Lock()
        self._over = False

    async def start(self) -> None:
        """Say the first words."""
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(1 << 24)
        await self._flush()

    async def call(self, path: str, request: bytes, metadata: Headers) -> AsyncGenerator[bytes, None]:
        """Yield the answers to one message. Raises CallFailed; ConnectionError if the connection ends first."""
        if self._over:
            raise ConnectionError("the connection has ended")
        send, receive = anyio.create_memory_object_stream[h2.events.Event](math.inf)
        stream_id = self._h2.get_next_available_stream_id()
        self._calls[stream_id] = send
        headers = [
            (":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "node"),
            ("content-type", "application/grpc"), ("te", "trailers"), *metadata,
        ]  # fmt: skip
        self._h2.send_headers(stream_id, headers)
        self._h2.send_data(stream_id, ENVELOPE.pack(False, len(request)) + request, end_stream=True)
        buffered = bytearray()
        try:
            await self._flush()
            async for event in receive:
                if isinstance(event, h2.events.DataReceived):
                    buffered += event.data
                    for message in _taken(buffered):
                        yield message
                elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    _require_success({str(key): str(value) for key, value in event.headers or ()})
                elif isinstance(event, h2.events.StreamReset):
                    raise CallFailed(-1, f"reset with error {event.error_code}")
                elif isinstance(event, h2.events.StreamEnded):
                    return
            raise ConnectionError("the connection ended in the middle of a call")
        finally:
            del self._calls[stream_id]
            send.close()
            receive.close()
            await self._give_up(stream_id)

    async def run(self) -> None:
        """Read until the connection ends."""
        try:
            while True:
                for event in self._h2.receive_data(await self._stream.receive(READ_BYTES)):
                    self._take(event)
                await self._flush()
        except (ConnectionError, *_ENDED):
            self._end()

    def _end(self) -> None:
        self._over = True
        for call in self._calls.values():
            call.close()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        stream_id = getattr(event, "stream_id", None)
        if stream_id in self._calls:
            self._calls[stream_id].send_nowait(event)

    async def _give_up(self, stream_id: int) -> None:
        with anyio.CancelScope(shield=True):
            try:
                self._h2.reset_stream(stream_id, error_code=8)
                await self._flush()
            except (h2.exceptions.ProtocolError, ConnectionError):
                return  # it had ended

    async def _flush(self) -> None:
        async with self._sending:
            try:
                if data := self._h2.data_to_send():
                    await self._stream.send(data)
            except _ENDED:
                raise ConnectionError("the connection has ended") from None


@asynccontextmanager
async def connected(address: Address, context: ssl.SSLContext) -> AsyncIterator[Wire]:
    """Connect as talosctl does, which wants `h2` to be agreed on. Raises OSError, ssl.SSLError."""
    tcp = await anyio.connect_tcp(address.host, address.port)
    try:
        tls = await TLSStream.wrap(tcp, hostname=address.host, ssl_context=context, standard_compatible=False)
    except BaseException as error:
        await anyio.aclose_forcefully(tcp)
        if isinstance(error, _ENDED):
            raise ConnectionError("the connection ended before it was encrypted") from None
        raise
    async with tls:
        assert tls.extra(TLSAttribute.alpn_protocol) == "h2"
        wire = Wire(tls)
        await wire.start()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wire.run)
                yield wire
                tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None  # what the body raised, as it raised it


def _taken(buffered: bytearray) -> list[bytes]:
    """Take the whole messages off the front of what has come."""
    taken = []
    while len(buffered) >= ENVELOPE.size:
        compressed, length = ENVELOPE.unpack_from(buffered)
        assert not compressed
        if len(buffered) < ENVELOPE.size + length:
            break
        taken.append(bytes(buffered[ENVELOPE.size : ENVELOPE.size + length]))
        del buffered[: ENVELOPE.size + length]
    return taken


def _require_success(headers: Mapping[str, str]) -> None:
    status = int(headers.get("grpc-status", "0"))
    if status:
        raise CallFailed(status, unquote(headers.get("grpc-message", "")), headers)
