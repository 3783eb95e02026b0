"""The conservative transport: services on grpc.aio."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, NoReturn
from urllib.parse import unquote

import anyio
import grpc

from cosi.rpc import listening
from cosi.rpc.address import Address
from cosi.rpc.grpcio.tls import server_credentials
from cosi.rpc.seam import (
    Bidirectional,
    Call,
    ClientStreaming,
    Feed,
    Frames,
    Peer,
    ServerStreaming,
    Service,
    Unary,
    messages,
    refusal_of,
)
from cosi.rpc.tls import Certificates, ServerTls

MAX_REQUEST_BYTES: Final = 4 << 20
"""A larger request is refused with RESOURCE_EXHAUSTED."""

MAX_CONCURRENT_STREAMS: Final = 4096
"""Calls and watches one connection may have open."""

GRACE_SECONDS: Final = 1.0
"""How long calls may still run when the server stops."""

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_concurrent_streams", MAX_CONCURRENT_STREAMS),
    ("grpc.so_reuseport", 0),
)

_NOBODY: Final = Peer()

Context = grpc.aio.ServicerContext[Any, Any]


@asynccontextmanager
async def serving(
    services: Sequence[Service], addresses: Sequence[Address], tls: ServerTls | Certificates | None
) -> AsyncIterator[Sequence[Address]]:
    """Serve while the body runs; see `cosi.rpc.serving`. Certificates that are exchanged later are not noticed."""
    if isinstance(tls, Certificates):
        tls = tls.tls
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers([_handlers(service) for service in services])
    taken: list[Address] = []
    try:
        for wanted in addresses:
            taken.append(_bind(server, wanted, tls))  # noqa: PERF401 - what was taken before a failure is given back
        await server.start()
        yield taken
    finally:
        with anyio.CancelScope(shield=True):
            await server.stop(GRACE_SECONDS)
        listening.release(taken)


def _handlers(service: Service) -> grpc.GenericRpcHandler:
    methods: dict[str, Any] = {}
    for name, unary in service.unary.items():
        methods[name] = grpc.unary_unary_rpc_method_handler(_unary(unary))
    for name, server_streaming in service.server_streaming.items():
        methods[name] = grpc.unary_stream_rpc_method_handler(_server_streaming(server_streaming))
    for name, client_streaming in service.client_streaming.items():
        methods[name] = grpc.stream_unary_rpc_method_handler(_client_streaming(client_streaming))
    for name, bidirectional in service.bidirectional.items():
        methods[name] = grpc.stream_stream_rpc_method_handler(_bidirectional(bidirectional))
    return grpc.method_handlers_generic_handler(service.name, methods)


def _unary(handler: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def call(request: bytes, context: Context) -> bytes:
        try:
            return _only(await handler(request, _call_of(context)))
        except Exception as error:
            await _refuse(context, error)

    return call


def _client_streaming(handler: ClientStreaming) -> Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]:
    async def call(requests: AsyncIterator[bytes], context: Context) -> bytes:
        try:
            return _only(await handler(requests, _call_of(context)))
        except Exception as error:
            await _refuse(context, error)

    return call


def _server_streaming(handler: ServerStreaming) -> Callable[[bytes, Context], Awaitable[None]]:
    async def call(request: bytes, context: Context) -> None:
        await _write_all(handler(request, _call_of(context)), context)

    return call


def _bidirectional(handler: Bidirectional) -> Callable[[AsyncIterator[bytes], Context], Awaitable[None]]:
    async def call(requests: AsyncIterator[bytes], context: Context) -> None:
        await _write_all(handler(requests, _call_of(context)), context)

    return call


async def _write_all(responses: AsyncGenerator[Frames | Feed, None], context: Context) -> None:
    try:
        async with aclosing(responses):
            async for part in responses:
                if isinstance(part, Feed):
                    await _write_feed(part, context)
                else:
                    await _write(part, context)
    except Exception as error:
        await _refuse(context, error)


async def _write_feed(feed: Feed, context: Context) -> None:
    while (frames := feed.take()) is not None:
        if frames:
            await _write(frames, context)
            continue
        ready = asyncio.get_running_loop().create_future()
        feed.when_ready(ready)
        try:
            await asyncio.sleep(0)  # others get their turn even if there is always something to take
            await ready
        finally:
            feed.forget(ready)


async def _write(frames: Frames, context: Context) -> None:
    for message in messages(frames):
        await context.write(message)


async def _refuse(context: Context, error: Exception) -> NoReturn:
    refusal = refusal_of(error)
    await context.abort(_CODES[refusal.code], refusal.message, tuple(refusal.trailers))


def _call_of(context: Context) -> Call:
    metadata = context.invocation_metadata() or ()
    remaining = context.time_remaining()
    deadline = None if remaining is None else time.monotonic() + remaining
    return Call([(key, value) for key, value in metadata], deadline, _peer_of(context))


def _peer_of(context: Context) -> Peer:
    kind, _, where = context.peer().partition(":")
    if kind not in ("ipv4", "ipv6"):
        return _NOBODY  # a unix socket: its clients have neither address nor certificate
    address = unquote(where)
    certificates = context.auth_context().get("x509_pem_cert")
    if not certificates:
        return Peer(address)
    return Peer(address, ssl.PEM_cert_to_DER_cert(next(iter(certificates)).decode("ascii")))


def _only(frames: Frames) -> bytes:
    """Return the one message of a response that is not streamed."""
    return next(messages(frames))


def _bind(server: grpc.aio.Server, wanted: Address, tls: ServerTls | None) -> Address:
    listening.prepare(wanted, tls=tls is not None)
    if wanted.path:
        try:
            with listening.for_this_user_alone():
                server.add_insecure_port(wanted.target)
        except RuntimeError as error:
            raise OSError(f"can't listen on {wanted}: {error}") from None
        return wanted
    try:
        if tls is None:
            return wanted._replace(port=server.add_insecure_port(wanted.target))
        return wanted._replace(port=server.add_secure_port(wanted.target, server_credentials(tls)))
    except RuntimeError:
        raise listening.taken(wanted) from None
