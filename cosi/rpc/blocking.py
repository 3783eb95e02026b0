"""A gRPC client for programs that start, ask and exit: blocking calls over one socket, and next to nothing to import.

The command line has 150 ms for everything; importing grpcio alone takes most of that. Below the two classes here lie
`blocking_wire`, which moves bytes, and `http2`, which knows what they mean.

A channel belongs to one thread. It may have several streams open and calls between their messages. There are no retries
and no reconnects: a channel that broke stays broken, and says why. An interrupt (Ctrl-C) comes through at once.
"""

from collections.abc import Iterator, Sequence
from time import monotonic
from types import TracebackType

from cosi.rpc import local_socket
from cosi.rpc.blocking_wire import BlockingWire, Connected, DeadlinePassed
from cosi.rpc.http2.events import Ended, Event, Message
from cosi.rpc.http2.grpc_request import Metadata
from cosi.rpc.http2.status import Code, RpcError

CONNECT_TIMEOUT_SECONDS = 5.0
LOCAL_AUTHORITY = "localhost"  # whatever the socket, it is this machine


class Channel:
    """An open connection to a server; a context manager that closes it."""

    def __init__(
        self, connected: Connected, *, target: str, authority: str = LOCAL_AUTHORITY, scheme: str = "http"
    ) -> None:
        """Take over a connected socket; `target` is how messages name it."""
        self._wire = BlockingWire(connected, target, authority=authority, scheme=scheme)

    @classmethod
    def connect(cls, target: str, *, timeout_seconds: float = CONNECT_TIMEOUT_SECONDS) -> "Channel":
        """Connect to `unix:PATH`, a path with a slash in it, or `HOST:PORT` of this machine.

        Raises RpcError: INVALID_ARGUMENT if the target is none of these, UNAVAILABLE if nobody answers there.
        """
        return cls(local_socket.connect(target, timeout_seconds=timeout_seconds), target=target)

    def expect_greeting(self, deadline: float) -> None:
        """Wait for the server's first words. Raises RpcError if none come in time."""
        self._wire.expect_greeting(deadline)

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
        stream_id = self._wire.request(method, request, metadata, timeout_seconds)
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

    def __init__(self, wire: BlockingWire, stream_id: int, method: str, timeout_seconds: float | None) -> None:
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
            except DeadlinePassed:
                self.close()
                raise self._deadline_exceeded() from None
            if (content := self._content(event)) is not None:
                return content
        raise StopIteration

    @staticmethod
    def interleaved(streams: "Sequence[MessageStream]") -> Iterator[tuple[int, bytes]]:
        """Yield the messages of several calls as they arrive, each with its call's position, until all have ended.

        The calls may be on different channels, and have no deadlines. Raises RpcError when one of them ends badly.
        """
        while going_on := [stream for stream in streams if stream._open]:
            arrived = False
            for position, stream in enumerate(streams):
                while stream._open and (event := stream._wire.arrived(stream._stream_id)) is not None:
                    arrived = True
                    if (content := stream._content(event)) is not None:
                        yield position, content
            if not arrived:
                BlockingWire.move(list({id(stream._wire): stream._wire for stream in going_on}.values()))

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

    def _content(self, event: Event) -> bytes | None:
        """Return a message's content. Raises RpcError if the call has ended badly."""
        if isinstance(event, Message):
            return event.content
        if isinstance(event, Ended):
            self._open = False
            self._require_success(event)
        return None

    def _require_success(self, ended: Ended) -> None:
        if ended.code == Code.OK:
            return
        # A server that watches the deadline too may give up in the instant before we look at our clock.
        if (
            ended.code in (Code.CANCELLED, Code.DEADLINE_EXCEEDED)
            and self._deadline is not None
            and monotonic() >= self._deadline
        ):
            raise self._deadline_exceeded()
        raise RpcError(ended.code, ended.message)

    def _deadline_exceeded(self) -> RpcError:
        return RpcError(Code.DEADLINE_EXCEEDED, f"{self._method} did not end within {self._timeout_seconds:g} s")
