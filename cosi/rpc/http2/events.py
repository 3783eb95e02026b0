"""What a client learns about its calls, in this order for each stream: ResponseHeaders?, Message*, Ended."""

from collections.abc import Sequence

from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.status import Code


class ResponseHeaders:
    """The server began to answer. A call that fails at once has none."""

    __slots__ = ("headers", "stream_id")

    def __init__(self, stream_id: int, headers: Sequence[Header]) -> None:
        self.stream_id = stream_id
        self.headers = headers

    def __repr__(self) -> str:
        return f"ResponseHeaders(stream_id={self.stream_id}, headers={self.headers!r})"


class Message:
    """One whole message. Until it is reported as taken, it occupies its stream's window."""

    __slots__ = ("content", "stream_id")

    def __init__(self, stream_id: int, content: bytes) -> None:
        self.stream_id = stream_id
        self.content = content

    def __repr__(self) -> str:
        return f"Message(stream_id={self.stream_id}, {len(self.content)} bytes)"


class Ended:
    """The call is over, and its stream forgotten. `trailers` are the server's last words, if the end came with any."""

    __slots__ = ("code", "message", "stream_id", "trailers")

    def __init__(self, stream_id: int, code: Code, message: str, trailers: Sequence[Header] = ()) -> None:
        self.stream_id = stream_id
        self.code = code
        self.message = message
        self.trailers = trailers

    def __repr__(self) -> str:
        return f"Ended(stream_id={self.stream_id}, code={self.code.name}, message={self.message!r})"


Event = ResponseHeaders | Message | Ended
