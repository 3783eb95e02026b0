"""Moves bytes between a socket and a `ClientConnection`, and sorts events into an inbox for each call.

Whichever call waits moves the bytes of all, and what comes for another is kept for it, as much as its window allows.
Sending never waits for a server that itself waits for us to read: the only thing that blocks, `poll`, looks both ways.
Between calls nobody reads, so a server that pings an idle client waits for its answer until the next call.

An interrupt while a call waits, which is nearly always, harms nothing. In the instant in which bytes move it may leave
half of them behind, so the connection is given up then: the server would not understand what came next.
"""

import socket
from collections import deque
from collections.abc import Sequence
from math import ceil
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Protocol

from cosi.rpc.http2.client_connection import ClientConnection
from cosi.rpc.http2.errors import ProtocolError
from cosi.rpc.http2.events import Ended, Event, Message
from cosi.rpc.http2.grpc_request import Metadata
from cosi.rpc.http2.status import Code, RpcError

READ_BYTES = 256 * 1024
LONGEST_POLL_MS = 3_600_000  # the system call counts in 32 bits; longer waits are several

# A command line may have made broken pipes fatal, for `cosi get | head`; a lost server must still be an error message.
_SEND_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)


class DeadlinePassed(Exception):
    """The call's deadline came before its next event."""


class Connected(Protocol):
    """A connected socket, or what behaves like one: BlockingIOError when it would have to wait."""

    def setblocking(self, flag: bool, /) -> None: ...

    def fileno(self) -> int: ...

    def send(self, data: memoryview | bytes, flags: int, /) -> int: ...

    def recv(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class BlockingWire:
    """A connected socket and the connection on it; belongs to one thread."""

    def __init__(self, connected: Connected, target: str, *, authority: str, scheme: str) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._target = target
        self._authority = authority
        self._connection = ClientConnection(scheme=scheme)
        self._unsent = memoryview(b"")
        self._inboxes: dict[int, deque[Event]] = {}
        self._poll = poll()
        self._lost = False

    def expect_greeting(self, deadline: float) -> None:
        """Wait for the server's first words. Raises RpcError if none come in time."""
        try:
            while not self._connection.greeted:
                self._send()
                if self._lost:
                    raise RpcError(Code.UNAVAILABLE, self._connection.closing)
                if self._wait(deadline):
                    self._receive()
        except DeadlinePassed:
            raise RpcError(
                Code.UNAVAILABLE, f"{self._target} takes connections, but says nothing: it is stuck"
            ) from None

    def request(self, method: str, message: bytes, metadata: Metadata, timeout_seconds: float | None) -> int:
        """Begin a call and send what the socket takes of it; raises as ClientConnection.request does."""
        stream_id = self._connection.request(
            method, self._authority, message, metadata=metadata, timeout_seconds=timeout_seconds
        )
        self._inboxes[stream_id] = deque()
        self._send()
        return stream_id

    def next_event(self, stream_id: int, deadline: float | None) -> Event:
        """Wait for what comes next in a call that has not ended; raises DeadlinePassed."""
        while (event := self.arrived(stream_id)) is None:
            self._send()
            if not self._lost and self._wait(deadline):
                self._receive()
        return event

    def arrived(self, stream_id: int) -> Event | None:
        """Return what comes next in a call that has not ended, if it is there already."""
        inbox = self._inboxes[stream_id]
        if not inbox:
            return None
        event = inbox.popleft()
        if isinstance(event, Message):
            self._connection.take(event)
        elif isinstance(event, Ended):
            del self._inboxes[stream_id]
        return event

    def cancel(self, stream_id: int) -> None:
        """Give a call up and tell the server, if the socket takes it now; else the next call does."""
        self._inboxes.pop(stream_id, None)
        self._connection.cancel(stream_id)
        self._send()

    def close(self) -> None:
        """Say goodbye, without waiting for anything, and close the socket."""
        if self._socket.fileno() != -1:
            self._connection.close()
            self._send()
            self._socket.close()
            self._lose("the channel was closed")

    @staticmethod
    def move(wires: "Sequence[BlockingWire]") -> None:
        """Move the bytes of several connections, once one of them has some."""
        for wire in wires:
            wire._send()
        if any(wire._lost for wire in wires):
            return  # its calls have come to their end
        waiting = poll()
        for wire in wires:
            waiting.register(wire._socket, POLLIN | POLLOUT if wire._unsent else POLLIN)
        ready = {number for number, what in waiting.poll() if what & ~POLLOUT}
        for wire in wires:
            if wire._socket.fileno() in ready:
                wire._receive()

    def _wait(self, deadline: float | None) -> bool:
        """Wait until the server says something (True), or can be told more."""
        remaining_ms = None
        if deadline is not None:
            remaining_ms = min(LONGEST_POLL_MS, ceil((deadline - monotonic()) * 1000))
            if remaining_ms <= 0:
                raise DeadlinePassed
        self._poll.register(self._socket, POLLIN | POLLOUT if self._unsent else POLLIN)
        return any(ready & ~POLLOUT for _, ready in self._poll.poll(remaining_ms))

    def _send(self) -> None:
        """Send as much as the socket takes without waiting."""
        try:
            self._send_due()
        except BaseException:
            self._break_off()
            raise

    def _receive(self) -> None:
        """Take what has arrived and hand it out."""
        try:
            self._receive_available()
        except BaseException:
            self._break_off()
            raise

    def _break_off(self) -> None:
        """Give the connection up: an interrupt came while bytes moved, and nobody knows how many did."""
        self._lose(f"the connection to {self._target} was interrupted while bytes were on their way; open a new one")
        self._socket.close()

    def _send_due(self) -> None:
        # Fetched only when the last bytes are gone: that is how the connection notices a server that does not read.
        while not self._lost and (self._unsent or (data := self._connection.data_to_send())):
            self._unsent = self._unsent or memoryview(data)
            try:
                sent = self._socket.send(self._unsent, _SEND_FLAGS)
            except BlockingIOError:
                return
            except OSError as error:
                while self._receive_available():  # what the server said before it hung up is the better reason
                    pass
                self._lose(f"the connection to {self._target} broke: {error.strerror}")
                return
            self._unsent = self._unsent[sent:]

    def _receive_available(self) -> bool:
        """Take one read's worth; False if that was nothing, or the end."""
        if self._lost:
            return False
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(f"the connection to {self._target} broke: {error.strerror}")
            return False
        if not data:
            self._lose(f"the server at {self._target} closed the connection")
            return False
        try:
            self._deliver(self._connection.receive(data))
        except ProtocolError as error:
            self._lose(f"the server at {self._target} cannot be understood: {error}")
            self._say_last_words()
        return True

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._lost = True
            self._connection.receive_end(reason)
            # All of them, also calls whose end came in one read with what could not be understood.
            for stream_id, inbox in self._inboxes.items():
                if not inbox or not isinstance(inbox[-1], Ended):
                    inbox.append(Ended(stream_id, Code.UNAVAILABLE, self._connection.closing))

    def _say_last_words(self) -> None:
        try:
            self._socket.send(bytes(self._unsent) + self._connection.data_to_send(), _SEND_FLAGS)
        except OSError:
            return  # a courtesy to a server that made no sense; nothing depends on it

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if event.stream_id in self._inboxes:
                self._inboxes[event.stream_id].append(event)
