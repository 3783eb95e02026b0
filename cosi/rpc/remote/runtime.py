"""The client's end of the ControllerRuntime service: how an engine in this process joins a server in another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cosi._pb.v1alpha1 import runtime_pb2
from cosi.journal import codec
from cosi.journal.records import Write
from cosi.resource import wire
from cosi.resource.controllers import ControllerDefinition
from cosi.resource.metadata import Metadata
from cosi.rpc.codes import RuntimeMethod
from cosi.rpc.remote.calls import Calls, MessageStream
from cosi.state import errors

_ABOUT = Metadata("", "", "")


class Membership:
    """Controllers that have joined."""

    def __init__(self, stream: MessageStream) -> None:
        self._stream = stream

    async def ended(self) -> None:
        """Wait until it is over. Raises the error that it ended with, Unavailable if the server ended it in peace."""
        while await self._stream.read() is not None:
            pass
        raise errors.Unavailable("the server has ended the membership")


@asynccontextmanager
async def joined(calls: Calls, members: Sequence[ControllerDefinition]) -> AsyncIterator[Membership]:
    """Have controllers on the server's roster while the body runs. Raises Conflict if they can't join."""
    request = runtime_pb2.JoinRequest(controllers=[wire.to_message(member) for member in members])
    stream = calls.stream(RuntimeMethod.JOIN, request, _ABOUT)
    try:
        if await stream.read() is None:
            raise errors.ProtocolViolation("the server has neither admitted nor refused the controllers")
        yield Membership(stream)
    finally:
        stream.close()


async def report(calls: Calls, writes: Sequence[Write]) -> None:
    """Tell the server what controllers have written, and why."""
    request = runtime_pb2.ReportRequest(writes=codec.to_messages(writes))
    await calls.unary(RuntimeMethod.REPORT, request, _ABOUT)
