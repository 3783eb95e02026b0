"""A server of the State service on grpc.aio that answers as a test says, well or badly, and notes what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc

from cosi.rpc import service
from cosi.rpc.address import Address
from cosi.rpc.codes import Method
from cosi.rpc.http2.status import Code

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[bytes, Context], Awaitable[bytes]]
Streaming = Callable[[bytes, Context], AsyncIterator[bytes]]
Script = Mapping[Method, Unary | Streaming]

STREAMING = {Method.LIST, Method.WATCH}


class Asked(list[Method]):
    """The methods that were called, in order, those that the server lacks as well."""


@asynccontextmanager
async def scripted(where: Address, script: Script) -> AsyncIterator[Asked]:
    """Serve the methods of a script while the body runs."""
    asked = Asked()
    around = asyncio.all_tasks()
    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((_Handlers(script, asked),))
    server.add_insecure_port(where.target)
    await server.start()
    try:
        yield asked
    finally:
        await server.stop(None)
        # Calls that are over for us may not be for grpc's core: what it reports later would hit the next test's loop.
        while unfinished := asyncio.all_tasks() - around - {asyncio.current_task()}:
            await asyncio.wait(unfinished)


def answering(*answers: bytes) -> Script:
    """Return a server that says the same to everybody."""

    async def one(_request: bytes, _context: Context) -> bytes:
        return answers[0]

    async def many(_request: bytes, _context: Context) -> AsyncIterator[bytes]:
        for answer in answers:
            yield answer

    return {method: many if method in STREAMING else one for method in Method}


def refusing(code: Code, words: str) -> Script:
    """Return a server that refuses everything as a Go server does: without naming the error."""
    status = next(each for each in grpc.StatusCode if each.value[0] == code)

    async def one(_request: bytes, context: Context) -> bytes:
        await context.abort(status, words)

    async def many(_request: bytes, context: Context) -> AsyncIterator[bytes]:
        await context.abort(status, words)
        yield b""

    return {method: many if method in STREAMING else one for method in Method}


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, script: Script, asked: Asked) -> None:
        self._script = script
        self._asked = asked

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path, _, name = handler_call_details.method.rpartition("/")
        assert path == f"/{service.NAME}"
        method = Method(name)
        self._asked.append(method)
        handler: Any = self._script.get(method)
        if handler is None:
            return None
        if method in STREAMING:
            return grpc.unary_stream_rpc_method_handler(handler)
        return grpc.unary_unary_rpc_method_handler(handler)
