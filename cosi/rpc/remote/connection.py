"""One connection of a client: passes what its link reads to the core, and tells calls what it means.

    calls ──▶ ClientConnection ──▶ Link
    calls ◀── ClientConnection ◀── Link

There is no task for a call: what arrives wakes whoever waits for it. Calls over the server's limit wait in line until
others have ended.
"""

from __future__ import annotations

import ssl
from typing import Protocol

from cosi.rpc import tls
from cosi.rpc.http2.client_connection import ClientConnection
from cosi.rpc.http2.errors import ProtocolError
from cosi.rpc.http2.events import Ended, Event, Message, ResponseHeaders
from cosi.rpc.http2.grpc_request import Metadata
from cosi.rpc.http2.status import Code, RpcError
from cosi.rpc.remote.keepalive import Keepalive
from cosi.rpc.remote.loop import Link, Loop
from cosi.state.wakeups import Wakeups


class Call(Protocol):
    """A call as its connection sees it. The connection sets `stream_id` when it sends the call; until then it is 0."""

    stream_id: int
    path: str
    request: bytes
    metadata: Metadata
    timeout_seconds: float | None

    def tell(self, event: Message | Ended) -> None:
        """Take what the server says, or why it says nothing more."""

    def cut_off(self) -> None:
        """Take note that the connection was closed on this side."""


class Owner(Protocol):
    """Who keeps track of connections."""

    def add(self, connection: Connection) -> None:
        """Note that a connection has a socket."""

    def remove(self, connection: Connection) -> None:
        """Note that a connection has none any more."""


class Connection:
    """A connection from its first byte to its last; `name` is what messages call the server."""

    def __init__(self, loop: Loop, owner: Owner, *, name: str, authority: str, scheme: str) -> None:
        self.has_answered = False
        """Whether the server has answered a call."""
        self._owner = owner
        self._name = name
        self._authority = authority
        self._loop = loop
        self._core = ClientConnection(scheme=scheme)
        self._link: Link | None = None
        self._calls: dict[int, Call] = {}
        self._in_line: dict[Call, None] = {}
        self._greeting = Wakeups()
        self._broken = False

    @property
    def closing(self) -> str:
        """Why no more calls can be made; empty while they can."""
        return self._core.closing

    @property
    def awaited(self) -> bool:
        """Whether there are calls that wait for the server."""
        return bool(self._calls)

    async def greeted(self) -> bool:
        """Wait until the server has shown that it speaks HTTP/2; False if the connection ends before."""
        while not self._core.greeted and not self._core.closing:
            await self._greeting.wait()
        return not self._core.closing

    def begin(self, call: Call) -> None:
        """Send a call as soon as the server takes one more. Whatever comes in between, the call is told."""
        if self._core.full:
            self._in_line[call] = None
            return
        try:
            call.stream_id = self._core.request(
                call.path,
                self._authority,
                call.request,
                metadata=call.metadata,
                timeout_seconds=call.timeout_seconds,
            )
        except RpcError as error:
            call.tell(Ended(0, error.code, error.message))
            return
        self._calls[call.stream_id] = call
        self._speak_soon()

    def cancel(self, call: Call) -> None:
        """Give a call up; it is told nothing more."""
        self._in_line.pop(call, None)
        if self._calls.pop(call.stream_id, None) is not None:
            self._core.cancel(call.stream_id)
            self._settle()
            self._speak_soon()

    def taken(self, message: Message) -> None:
        """Let the server send more in place of a message."""
        self._core.take(message)
        self._speak_soon()

    def close(self) -> None:
        """Say goodbye; calls that are open are cut off."""
        for call in self._forget_calls():
            call.cut_off()
        self._core.close()
        self._finish()

    def ping(self) -> None:
        """Have the server say something."""
        self._core.ping()
        self._speak_soon()

    def give_up(self, reason: str) -> None:
        """Break off at once, because the server is not there."""
        self._break(f"the server at {self._name} {reason}")
        self.abort()

    def abort(self) -> None:
        """Close at once, whatever has yet to be sent."""
        if self._link is not None:
            self._link.abort()

    def carried_by(self, link: Link) -> None:
        """Begin: the server is greeted with the first words."""
        self._link = link
        self._keepalive = Keepalive(self, self._loop)
        self._owner.add(self)

    def words(self) -> bytes:
        """Return, once, what is due to the server."""
        return self._core.data_to_send()

    def receive(self, data: bytes) -> None:
        """Take what was read."""
        self._keepalive.heard()
        try:
            events = self._core.receive(data)
        except ProtocolError as error:
            self._break(f"the server at {self._name} cannot be understood: {error}")
            self._finish()
            return
        for event in events:
            self._hand_out(event)
        self._settle()
        self._greeting.wake_all()
        # Whoever was woken has its turn before this does: what it says now goes out in the same write.
        self._speak_soon()

    def lost(self, error: BaseException | None) -> None:
        """End all calls with the reason."""
        self._link = None
        self._keepalive.stop()
        self._break(_why_lost(self._name, error))
        self._owner.remove(self)

    def _speak_soon(self) -> None:
        if self._link is not None:
            self._link.speak_soon()

    def _hand_out(self, event: Event) -> None:
        if isinstance(event, ResponseHeaders):
            self.has_answered = True
            return
        if isinstance(event, Ended):
            self.has_answered = self.has_answered or bool(event.trailers)
            call = self._calls.pop(event.stream_id, None)
        else:
            call = self._calls.get(event.stream_id)
        if call is not None:
            call.tell(event)

    def _settle(self) -> None:
        """Let in who waits in line, or close behind the last call of a connection that takes no more."""
        if self._core.closing:
            in_line, self._in_line = self._in_line, {}
            for call in in_line:
                call.tell(Ended(0, Code.UNAVAILABLE, self._core.closing))
            if not self._calls:
                self._finish()
        while self._in_line and not self._core.full:
            call = next(iter(self._in_line))
            del self._in_line[call]
            self.begin(call)

    def _break(self, reason: str) -> None:
        """End all calls; the first reason is the one that counts."""
        if not self._broken:
            self._broken = True
            self._core.receive_end(reason)
            for call in self._forget_calls():
                call.tell(Ended(call.stream_id, Code.UNAVAILABLE, self._core.closing))
            self._greeting.wake_all()

    def _finish(self) -> None:
        """Close behind the last words."""
        if self._link is not None:
            self._link.close()

    def _forget_calls(self) -> list[Call]:
        calls = [*self._calls.values(), *self._in_line]
        self._calls.clear()
        self._in_line.clear()
        return calls


def _why_lost(name: str, error: BaseException | None) -> str:
    match error:
        case None:
            return f"the server at {name} closed the connection"
        case ssl.SSLError():
            return f"the connection to {name} broke: {tls.reason(error)}"
        case OSError(strerror=str(reason)):
            return f"the connection to {name} broke: {reason}"
        case _:
            return f"the connection to {name} broke: {error}"
