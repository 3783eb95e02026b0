"""A server on the native transport in a thread of its own, for clients that block, or are other programs."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.lowlevel
from anyio.from_thread import start_blocking_portal

from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from cosi.rpc.service import StateService
from cosi.rpc.serving import Transport, serving_services
from cosi.rpc.tls import ServerTls
from cosi.state.memory.state import MemoryState
from cosi.testing.resources import path, sample_registry
from tests.programs import needed

NAME = "test.Peers"
HELD = path("held")
"""The resource in the state that is served."""

PROGRAM_SECONDS = 20


class Peers:
    """A service with a method of each kind."""

    def __init__(self) -> None:
        self.ended = threading.Event()  # the last call that had to be ended
        self.service = Service(
            NAME,
            unary={"Echo": self.echo, "Fill": self.fill, "Refuse": self.refuse, "Sleep": self.sleep},
            server_streaming={"Count": self.count},
            client_streaming={"Join": self.join},
            bidirectional={"Answer": self.answer},
        )

    async def echo(self, request: bytes, _: Call) -> Frames:
        return frame(request)

    async def fill(self, request: bytes, _: Call) -> Frames:
        """Answer with so many bytes."""
        return frame(bytes(int(request)))

    async def refuse(self, _: bytes, call: Call) -> Frames:
        who = dict(call.metadata)["who-bin"]
        raise Refusal(Code.DATA_LOSS, "gone: é %\n", (("who", repr(who)),))

    async def sleep(self, _: bytes, _call: Call) -> Frames:
        try:
            await anyio.sleep_forever()
        finally:
            self.ended.set()
        raise AssertionError

    async def count(self, request: bytes, _: Call) -> AsyncGenerator[Frames, None]:
        """Count up to a number; behind "+" nothing more comes, and the call does not end."""
        try:
            for number in range(int(request.removesuffix(b"+"))):
                yield frame(b"%d" % number)
            if request.endswith(b"+"):
                await anyio.sleep_forever()
        finally:
            self.ended.set()

    async def join(self, requests: AsyncIterator[bytes], _: Call) -> Frames:
        return frame(b"+".join([request async for request in requests]))

    async def answer(self, requests: AsyncIterator[bytes], _: Call) -> AsyncGenerator[Frames, None]:
        async for request in requests:
            yield frame(b"re: " + request)


@contextmanager
def serving_peers(peers: Peers, where: Address, tls: ServerTls | None = None) -> Iterator[Address]:
    """Serve that and a state with one resource while the body runs."""

    @asynccontextmanager
    async def serving() -> AsyncIterator[Address]:
        state = MemoryState()
        await state.create(HELD)
        services = [peers.service, StateService(state, sample_registry()).service]
        async with serving_services(services, [where], tls=tls, transport=Transport.NATIVE) as (taken,):
            yield taken

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving()) as taken:
        yield taken


def run(program: str, *arguments: str, check: bool = True) -> str:
    """Return what a program says; skip the test where there is none, but fail where CI promised one."""
    done = subprocess.run([needed(program), *arguments], capture_output=True, timeout=PROGRAM_SECONDS, check=False)
    output = (done.stdout + done.stderr).decode("latin-1")
    assert not check or done.returncode == 0, output
    return output
