"""One call of any method as its caller sees it: the bytes of a message in, those of the answers out, and how it ended.

It knows nothing of what the bytes mean, so it also carries calls that somebody else makes: a server passes them on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from cosi.rpc.http2.events import Ended, Message
from cosi.rpc.http2.grpc_request import Metadata
from cosi.rpc.http2.status import Code
from cosi.rpc.remote.channel import Channel, Closed
from cosi.rpc.remote.connection import Connection
from cosi.rpc.remote.loop import TaskWaiter


class CallEnded(Exception):
    """A call ended with a code that is not OK; `ended` has all that the server said."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.message or ended.code.name)
        self.ended = ended


class RemoteCall:
    """The answers of one call as they arrive. Only one task may read it; to be closed by whoever made it.

    What the server sent and nobody has read is bounded by the window of a stream: it sends no more before.
    """

    __slots__ = (
        "_channel",
        "_closed",
        "_connection",
        "_end",
        "_messages",
        "_reader",
        "metadata",
        "path",
        "request",
        "stream_id",
        "timeout_seconds",
    )

    def __init__(
        self,
        channel: Channel,
        path: str,
        request: bytes,
        *,
        metadata: Metadata = (),
        timeout_seconds: float | None = None,
    ) -> None:
        """Prepare a call, which begins with the first read."""
        self.stream_id = 0
        self.path = path
        self.request = request
        self.metadata = metadata
        self.timeout_seconds = timeout_seconds
        self._channel = channel
        self._connection: Connection | None = None
        self._messages: deque[Message] = deque()
        self._end: Ended | None = None
        self._closed = False
        self._reader: TaskWaiter | None = None

    async def read(self) -> bytes | None:
        """Return the next message, None once the call has ended well.

        Raises Unavailable if the server can't be reached, Closed if this side has closed the call, and CallEnded.
        A read that is cancelled takes nothing: the next one returns what this one would have.
        """
        connection = self._connection or await self._begin()
        while not self._messages:
            if self._end is not None or self._closed:
                await self._require_success()
                return None
            self._reader = self._channel.loop.waiter()
            await self._reader
        message = self._messages.popleft()
        if self._end is None:
            connection.taken(message)
        return message.content

    def arrived(self) -> Iterator[bytes]:
        """Yield the messages that can be read without waiting."""
        while self._messages and self._connection is not None:
            message = self._messages.popleft()
            if self._end is None:
                self._connection.taken(message)
            yield message.content

    def close(self) -> None:
        """Give the call up, unless it has ended."""
        if self._end is None and self._connection is not None:
            self._connection.cancel(self)
        self.cut_off()

    def tell(self, event: Message | Ended) -> None:
        """Take what the server says, or why it says nothing more."""
        if isinstance(event, Message):
            self._messages.append(event)
        else:
            self._end = event
        self._wake()

    def cut_off(self) -> None:
        """Take note that the connection was closed on this side."""
        self._closed = True
        self._wake()

    async def _begin(self) -> Connection:
        connection = self._channel.ready() or await self._channel.connected()
        await self._set_out()
        if self._closed:
            raise Closed
        self._connection = connection
        connection.begin(self)
        return connection

    async def _set_out(self) -> None:
        """Do what has to be done last before the call is sent."""

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _require_success(self) -> None:
        if self._end is None:
            raise Closed
        if self._end.code is not Code.OK:
            await self._fail(self._end)

    async def _fail(self, ended: Ended) -> None:
        """Raise what an end that is not OK means to the caller."""
        raise CallEnded(ended)
