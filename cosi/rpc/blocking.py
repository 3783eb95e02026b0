"""A gRPC client for programs that start, ask and exit: blocking calls over one socket, and next to nothing to import.

The command line has 150 ms for everything; importing grpcio alone takes most of that. This module brings the socket and
the clock to `ClientConnection`, which does the rest.

A channel belongs to one thread. It may have several streams open and calls between their messages: whichever call
waits moves the bytes of all, and what comes for another is kept for it, as much as its window allows. Between calls
nobody reads the socket, so a server that pings an idle channel waits for its answer until the next call. There are no
retries and no reconnects: a channel that broke stays broken, and says why.

An interrupt (Ctrl-C) comes through at once. While a call waits, which is nearly always, it harms nothing; in the instant
in which bytes move it may leave half of them behind, and then the channel counts as broken.
"""

import socket
from collections import deque
from collections.abc import Iterator
from math import ceil
from select import POLLIN, POLLOUT, poll
from time import monotonic
from types import TracebackType

from cosi.rpc import local_socket
from cosi.rpc.http2.client_connection import ClientConnection
from cosi.rpc.http2.errors import ProtocolError
from cosi.rpc.http2.events import Ended, Event, Message
from cosi.rpc.http2.grpc_request import Metadata
from cosi.rpc.http2.status import Code, RpcError

CONNECT_TIMEOUT_SECONDS = 5.0
READ_BYTES = 256 * 1024
LONGEST_POLL_MS = 3_600_000  # the system call counts in 32 bits; longer waits are several

# A command line may have made broken pipes fatal, for `cosi get | head`; a lost server must still be an error message.
_SEND_FLAGS = getattr(socket, "MSG_NOSIGNAL", 0)


class Channel:
    """An open connection to a server; a context manager that closes it."""

    def __init__(self, connected: socket.socket, *, target: str, authority: str = "localhost") -> None:
        """Take over a connected socket; `target` is how messages name it."""
        self._wire = _Wire(connected, target)
        self._authority = authority

    @classmethod
    def connect(cls, target: str, *, timeout_seconds: float = CONNECT_TIMEOUT_SECONDS) -> "Channel":
        """Connect to `unix:PATH`, a path with a slash in it, or `HOST:PORT` of this machine.

        Raises RpcError: INVALID_ARGUMENT if the target is none of these, UNAVAILABLE if nobody answers there.
        """
        connected = local_socket.connect(target, timeout_seconds=timeout_seconds)
        authority = "localhost" if connected.family == socket.AF_UNIX else target
        return cls(connected, target=target, authority=authority)

    def unary(
        self, method: str, request: bytes, *, metadata: Metadata = (), timeout_seconds: float | None = None
    ) -> bytes:
        """Call a method, such as /cosi.resource.State/Get, and return its one answer, or raise RpcError."""
        with self.stream(method, request, metadata=metadata, timeout_seconds=timeout_seconds) as answers:
            answer = next(answers, None)
            if answer is None:
                raise RpcError(Code.INTERNAL, f"{method} ended well but without an answer")
            if next(answers, None) is not None:
                raise RpcError(Code.INTERNAL, f"{method} gave more than one answer")
            return answer

    def stream(
        self, method: str, request: bytes, *, metadata: Metadata = (), timeout_seconds: float | None = None
    ) -> "MessageStream":
        """Call a method that answers with any number of messages; the deadline is for all of them together.

        The request is on its way when this returns. Raises RpcError if the channel is closed or broken.
        """
        stream_id = self._wire.request(method, self._authority, request, metadata, timeout_seconds)
        return MessageStream(self._wire, stream_id, method, timeout_seconds)

    def close(self) -> None:
        """Close the connection; streams that are still open end with UNAVAILABLE. Does nothing the second time."""
        self._wire.close()

    def __enter__(self) -> "Channel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class MessageStream(Iterator[bytes]):
    """The messages of one call as they arrive; a context manager, because a stream left early must be closed.

    Iterating raises RpcError if the call ends badly, DEADLINE_EXCEEDED included.
    """

    def __init__(self, wire: "_Wire", stream_id: int, method: str, timeout_seconds: float | None) -> None:
        self._wire = wire
        self._stream_id = stream_id
        self._method = method
        self._timeout_seconds = timeout_seconds
        self._deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
        self._open = True

    def __next__(self) -> bytes:
        while self._open:
            try:
                event = self._wire.next_event(self._stream_id, self._deadline)
            except TimeoutError:
                self.close()
                raise self._deadline_exceeded() from None
            if isinstance(event, Message):
                return event.content
            if isinstance(event, Ended):
                self._open = False
                self._require_success(event)
        raise StopIteration

    def close(self) -> None:
        """Leave the call, telling the server unless it has ended. Does nothing the second time."""
        if self._open:
            self._open = False
            self._wire.cancel(self._stream_id)

    def __enter__(self) -> "MessageStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_success(self, ended: Ended) -> None:
        if ended.code == Code.OK:
            return
        # A server that watches the deadline too may cancel in the instant before we look at our clock.
        if ended.code == Code.CANCELLED and self._deadline is not None and monotonic() >= self._deadline:
            raise self._deadline_exceeded()
        raise RpcError(ended.code, ended.message)

    def _deadline_exceeded(self) -> RpcError:
        return RpcError(Code.DEADLINE_EXCEEDED, f"{self._method} did not end within {self._timeout_seconds:g} s")


class _Wire:
    """Moves bytes between the socket and the connection, and sorts events into an inbox for each call."""

    def __init__(self, connected: socket.socket, target: str) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._target = target
        self._connection = ClientConnection()
        self._unsent = memoryview(b"")
        self._inboxes: dict[int, deque[Event]] = {}
        self._poll = poll()
        self._lost = False

    def request(
        self, method: str, authority: str, message: bytes, metadata: Metadata, timeout_seconds: float | None
    ) -> int:
        stream_id = self._connection.request(
            method, authority, message, metadata=metadata, timeout_seconds=timeout_seconds
        )
        self._inboxes[stream_id] = deque()
        self._send()
        return stream_id

    def next_event(self, stream_id: int, deadline: float | None) -> Event:
        """Wait for what comes next in a call; raises TimeoutError at the deadline."""
        inbox = self._inboxes[stream_id]
        while not inbox:
            self._send()
            if self._wait(deadline):
                self._receive()
        event = inbox.popleft()
        if isinstance(event, Message):
            self._connection.take(event)
        elif isinstance(event, Ended):
            del self._inboxes[stream_id]
        return event

    def cancel(self, stream_id: int) -> None:
        self._inboxes.pop(stream_id, None)
        self._connection.cancel(stream_id)
        self._send()

    def close(self) -> None:
        if self._socket.fileno() != -1:
            self._connection.close()
            self._send()
            self._socket.close()
            self._lose("the channel was closed")

    def _wait(self, deadline: float | None) -> bool:
        """Wait until the server says something (True), or can be told more."""
        remaining_ms = None
        if deadline is not None:
            remaining_ms = min(LONGEST_POLL_MS, ceil((deadline - monotonic()) * 1000))
            if remaining_ms <= 0:
                raise TimeoutError
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
            self._deliver(self._connection.receive_end(reason))

    def _say_last_words(self) -> None:
        try:
            self._socket.send(bytes(self._unsent) + self._connection.data_to_send(), _SEND_FLAGS)
        except OSError:
            return  # a courtesy to a server that made no sense; nothing depends on it

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if event.stream_id in self._inboxes:
                self._inboxes[event.stream_id].append(event)
