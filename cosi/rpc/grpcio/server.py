"""Serve a state on grpc.aio, with health and reflection: on unix sockets, loopback, and with TLS on the network."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

import anyio
import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from cosi.resource.registry import Registry
from cosi.rpc import address, service
from cosi.rpc.codes import ERROR_KEY, code_of, name_of
from cosi.rpc.grpcio.tls import ServerTls
from cosi.rpc.http2.status import Code
from cosi.rpc.service import StateService, Streaming, Unary
from cosi.state.core import CoreState

MAX_REQUEST_BYTES: Final = 4 << 20
"""A larger request is refused with RESOURCE_EXHAUSTED."""

MAX_CONCURRENT_STREAMS: Final = 4096
"""Calls and watches one connection may have open."""

MAX_STATUS_MESSAGE_BYTES: Final = 2048
"""Longer error messages are cut: gRPC's C-core may refuse trailers from 8 KiB on, and the error with them."""

GRACE_SECONDS: Final = 1.0
"""How long calls may still run when the server stops."""

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_concurrent_streams", MAX_CONCURRENT_STREAMS),
    ("grpc.so_reuseport", 0),
)
_log = structlog.get_logger(component="rpc")

Context = grpc.aio.ServicerContext[Any, Any]


@asynccontextmanager
async def serving(
    core: CoreState, registry: Registry, addresses: Sequence[address.Address], *, tls: ServerTls | None = None
) -> AsyncIterator[Sequence[address.Address]]:
    """Serve a state while the body runs; yields the addresses with the ports that were taken.

    With `tls` every TCP address asks for a client's certificate; a unix socket never does, it is for its user alone.
    Raises OSError if an address can't be taken, ValueError if one is not local and there is no `tls`.
    """
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((_handlers(StateService(core, registry)),))
    health_service = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
    for name in ("", service.NAME):
        await health_service.set(name, health_pb2.HealthCheckResponse.SERVING)
    names = (service.NAME, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    taken: list[address.Address] = []
    try:
        for wanted in addresses:
            taken.append(_bind(server, wanted, tls))  # noqa: PERF401 - what was taken before a failure is given back
        await server.start()
        yield taken
    finally:
        with anyio.CancelScope(shield=True):
            await server.stop(GRACE_SECONDS)
        _remove_sockets(taken)


def _handlers(state_service: StateService) -> grpc.GenericRpcHandler:
    methods: dict[str, Any] = {
        method.value: grpc.unary_unary_rpc_method_handler(_unary(handler))
        for method, handler in state_service.unary.items()
    }
    methods |= {
        method.value: grpc.unary_stream_rpc_method_handler(_streaming(handler))
        for method, handler in state_service.streaming.items()
    }
    return grpc.method_handlers_generic_handler(service.NAME, methods)


def _unary(handler: Unary) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def call(request: bytes, context: Context) -> bytes:
        try:
            return await handler(request)
        except Exception as error:
            await _refuse(context, error)

    return call


def _streaming(handler: Streaming) -> Callable[[bytes, Context], AsyncIterator[bytes]]:
    async def call(request: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            async for response in handler(request):
                yield response
        except Exception as error:
            await _refuse(context, error)

    return call


async def _refuse(context: Context, error: Exception) -> NoReturn:
    code = code_of(error)
    if code is None:
        _log.error("request failed", exc_info=error)
        await context.abort(_CODES[Code.INTERNAL], "internal error; the server's log has the details")
    await context.abort(_CODES[code], _clipped(str(error)), ((ERROR_KEY, name_of(error)),))


def _clipped(message: str) -> str:
    """Return a message that fits the trailers; percent-encoding makes up to three bytes of each of its bytes."""
    encoded = message.encode()
    if len(encoded) <= MAX_STATUS_MESSAGE_BYTES:
        return message
    return encoded[:MAX_STATUS_MESSAGE_BYTES].decode(errors="ignore") + "…"


def _bind(server: grpc.aio.Server, wanted: address.Address, tls: ServerTls | None) -> address.Address:
    if wanted.path:
        _prepare_socket(Path(wanted.path))
        mask = os.umask(0o177)
        try:
            server.add_insecure_port(wanted.target)
        except RuntimeError as error:
            raise OSError(f"can't listen on {wanted}: {error}") from None
        finally:
            os.umask(mask)
        return wanted
    if tls is None and not address.is_loopback(wanted.host):
        raise ValueError(
            f"will not serve plain text on {wanted}: it is not a loopback address; use 127.0.0.1, a unix socket, or TLS"
        )
    try:
        if tls is None:
            return wanted._replace(port=server.add_insecure_port(wanted.target))
        return wanted._replace(port=server.add_secure_port(wanted.target, tls.credentials()))
    except RuntimeError:
        raise OSError(f"can't listen on {wanted}: the port is taken, or the address is not this machine's") from None


def _remove_sockets(addresses: Sequence[address.Address]) -> None:
    for bound in addresses:
        if bound.path:
            Path(bound.path).unlink(missing_ok=True)


def _prepare_socket(path: Path) -> None:
    """Make the socket's directory, and remove a socket that nobody listens on any more. Raises OSError."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
    directory = path.parent.stat()
    replaceable = directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not directory.st_mode & stat.S_ISVTX
    if directory.st_uid not in (os.getuid(), 0) or replaceable:
        raise PermissionError(f"will not listen on {path}: others could replace it; use a directory of your own")
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise FileExistsError(f"can't listen on {path}: another server is running there")
