"""One call as the server's end of a connection knows it: the request in the making, and the way out for the answer.

    DATA frames   ├──────┤├─┤├────────────┤├──┤     cut where the client's windows and buffers ended
    messages      ├───┤├───────┤├──────────────┤    cut by their envelopes

A message is whole when its envelope says so; a request that ends inside one is broken.
"""

from cosi.rpc.http2.errors import ErrorCode, StreamError
from cosi.rpc.http2.frame_writer import SendStream
from cosi.rpc.http2.grpc_request import ENVELOPE
from cosi.rpc.http2.limits import MAX_REQUEST_BYTES
from cosi.rpc.http2.request_head import UNCOMPRESSED_ONLY, GrpcRefusal, RequestHead
from cosi.rpc.http2.status import Code
from cosi.rpc.http2.windows import ReceiveWindow

_unpack_envelope = ENVELOPE.unpack_from
ENVELOPE_BYTES = ENVELOPE.size


class Refused(Exception):
    """The request can't be served; `refusal` is the answer."""

    def __init__(self, refusal: GrpcRefusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ServerStream(SendStream):
    """`answering` once our headers are out, `ended` once the request is complete.

    `untaken_bytes` are messages its handler has yet to take, `counted_bytes` what the connection has counted of all
    that.
    """

    __slots__ = (
        "answering", "counted_bytes", "ended", "head", "partial", "received_bytes", "untaken_bytes", "window",
    )  # fmt: skip

    def __init__(self, id: int, window_bytes: int, head: RequestHead) -> None:
        # Written out instead of calling the base, because there is one of these for every call.
        self.id = id
        self.window_bytes = window_bytes
        self.unsent = b""
        self.ending = None
        self.head = head
        self.answering = False
        self.ended = False
        self.partial: bytes | bytearray = b""
        self.received_bytes = 0
        self.untaken_bytes = 0
        self.counted_bytes = 0
        self.window: ReceiveWindow | None = None

    @property
    def answered(self) -> bool:
        """Whether all of the answer is known; some of it may still wait for a window."""
        return self.ending is not None

    def receive(self, data: bytes) -> list[bytes]:
        """Take a piece of the request and return the messages it completed. Raises Refused."""
        if not self.partial:
            messages, rest = _messages(data)
            self.partial = rest
            return messages
        if not isinstance(self.partial, bytearray):
            self.partial = bytearray(self.partial)
        self.partial += data
        # Looked at only when a message is whole: a large one comes in hundreds of pieces.
        if len(self.partial) < _announced(self.partial):
            return []
        messages, self.partial = _messages(bytes(self.partial))
        return messages

    def hold(self, messages: list[bytes]) -> int:
        """Keep the window closed by these messages until they are taken; return their size."""
        held_bytes = sum(map(len, messages)) + ENVELOPE_BYTES * len(messages)
        if self.window is not None:
            self.window.hold(held_bytes)
        return held_bytes

    def count(self, size_bytes: int, *, end_stream: bool) -> None:
        """Note a piece's size. Raises StreamError where the whole is not as long as the headers said."""
        self.received_bytes += size_bytes
        announced = self.head.content_length
        if announced is None:
            return
        if self.received_bytes > announced or (end_stream and self.received_bytes != announced):
            message = f"the request has {self.received_bytes} bytes, and its content-length is {announced}"
            raise StreamError(ErrorCode.PROTOCOL_ERROR, message, stream_id=self.id)

    def require_whole(self) -> None:
        """Hold an ended request against its envelopes. Raises Refused."""
        if self.partial:
            raise Refused(GrpcRefusal(Code.INTERNAL, "the request ended inside a message"))


def _messages(data: bytes) -> tuple[list[bytes], bytes]:
    messages: list[bytes] = []
    position, size = 0, len(data)
    while position < size:
        end = position + _announced(data, position)
        if end > size:
            break
        messages.append(data[position + ENVELOPE_BYTES : end])
        position = end
    return messages, data[position:]


def _announced(data: bytes | bytearray, position: int = 0) -> int:
    """Return how long what begins here is: a message in its envelope, or the envelope while it is not whole."""
    # Of an envelope that is not whole only the flag can be wrong already.
    if compressed := data[position]:
        _refuse_compressed(compressed)
    if len(data) - position < ENVELOPE_BYTES:
        return ENVELOPE_BYTES
    length: int = _unpack_envelope(data, position)[1]
    if length > MAX_REQUEST_BYTES:
        message = f"the request has {length} bytes; at most {MAX_REQUEST_BYTES} are accepted"
        raise Refused(GrpcRefusal(Code.RESOURCE_EXHAUSTED, message))
    return ENVELOPE_BYTES + length


def _refuse_compressed(flag: int) -> None:
    if flag == 1:
        message = "the request is compressed, which is not accepted here"
        raise Refused(GrpcRefusal(Code.UNIMPLEMENTED, message, UNCOMPRESSED_ONLY))
    raise Refused(GrpcRefusal(Code.INTERNAL, f"a message begins with {flag} where its compressed flag is"))
