"""What a server learns about its calls: Began, then RequestMessage*, RequestEnded?; Writable and Cancelled at any time.

A request ends with a message that is the `last`, or with RequestEnded. After Cancelled nothing more comes, and nothing
more can be answered.
"""

from cosi.rpc.http2.request_head import RequestHead


class Began:
    """A client calls a method; its request messages follow."""

    __slots__ = ("head", "stream_id")

    def __init__(self, stream_id: int, head: RequestHead) -> None:
        self.stream_id = stream_id
        self.head = head

    def __repr__(self) -> str:
        return f"Began(stream_id={self.stream_id}, path={self.head.path!r})"


class RequestMessage:
    """One whole request message. Until it is reported as taken it occupies its stream's window."""

    __slots__ = ("content", "last", "stream_id")

    def __init__(self, stream_id: int, content: bytes, *, last: bool) -> None:
        self.stream_id = stream_id
        self.content = content
        self.last = last

    def __repr__(self) -> str:
        return f"RequestMessage(stream_id={self.stream_id}, {len(self.content)} bytes, last={self.last})"


class RequestEnded:
    """The request is over, and no message told so."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id

    def __repr__(self) -> str:
        return f"RequestEnded(stream_id={self.stream_id})"


class Cancelled:
    """The client gave the call up, or broke its stream or the connection."""

    __slots__ = ("reason", "stream_id")

    def __init__(self, stream_id: int, reason: str) -> None:
        self.stream_id = stream_id
        self.reason = reason

    def __repr__(self) -> str:
        return f"Cancelled(stream_id={self.stream_id}, reason={self.reason!r})"


class Writable:
    """All that was queued for the stream has gone out."""

    __slots__ = ("stream_id",)

    def __init__(self, stream_id: int) -> None:
        self.stream_id = stream_id

    def __repr__(self) -> str:
        return f"Writable(stream_id={self.stream_id})"


ServerEvent = Began | RequestMessage | RequestEnded | Cancelled | Writable
