"""From header blocks to heads: blocks that a client repeats are not read again.

As long as the dynamic table stays as it is, the same block means the same headers, and those the same head. Clients
send the same few blocks over and over, so most calls cost one look into a dictionary.
"""

from cosi.rpc.http2.errors import ErrorCode, StreamError
from cosi.rpc.http2.frames import Headers
from cosi.rpc.http2.hpack import HeaderDecoder, HeaderListTooLarge
from cosi.rpc.http2.limits import MAX_CACHED_HEAD_BYTES, MAX_CACHED_HEADS, MAX_LIST_BYTES
from cosi.rpc.http2.request_head import GrpcRefusal, RequestHead, read_head, read_trailers
from cosi.rpc.http2.status import Code


class HeadReader:
    """The header blocks of one connection, in the order they arrive. Raises ProtocolError where they are not HPACK."""

    __slots__ = ("_decoder", "_heads")

    def __init__(self) -> None:
        self._decoder = HeaderDecoder(max_list_bytes=MAX_LIST_BYTES)
        self._heads: dict[bytes, RequestHead] = {}

    def read(self, frame: Headers) -> RequestHead:
        """Return the head of a request. Raises StreamError if it is malformed."""
        head = self._heads.get(frame.block)
        if head is None:
            head = self._read(frame)
        if frame.depends_on == frame.stream_id:
            raise depends_on_itself(frame.stream_id)
        return head

    def read_trailers(self, frame: Headers) -> None:
        """Take a request's trailers, which say nothing to gRPC. Raises StreamError if they are malformed."""
        try:
            headers = self._decode(frame.block)
        except HeaderListTooLarge as error:
            raise StreamError(ErrorCode.ENHANCE_YOUR_CALM, str(error), stream_id=frame.stream_id) from None
        if not frame.end_stream:
            message = "the request's trailers do not end it"
            raise StreamError(ErrorCode.PROTOCOL_ERROR, message, stream_id=frame.stream_id)
        read_trailers(headers, frame.stream_id)

    def skip(self, frame: Headers) -> None:
        """Take a block that nobody waits for: it may move the table all the same."""
        try:
            self._decode(frame.block)
        except HeaderListTooLarge:
            return

    def _read(self, frame: Headers) -> RequestHead:
        block, moves = frame.block, self._decoder.moves
        try:
            headers = self._decode(block)
        except HeaderListTooLarge as error:
            return RequestHead("", refusal=GrpcRefusal(Code.RESOURCE_EXHAUSTED, str(error)))
        head = read_head(headers, frame.stream_id)
        unmoved = moves == self._decoder.moves
        # Of what it means, not of the block: that may be a few references to long entries of the table.
        size_bytes = len(block) + sum(len(name) + len(value) for name, value in headers)
        if unmoved and size_bytes <= MAX_CACHED_HEAD_BYTES and len(self._heads) < MAX_CACHED_HEADS:
            self._heads[block] = head
        return head

    def _decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        moves = self._decoder.moves
        try:
            return self._decoder.decode(block)
        finally:
            if moves != self._decoder.moves:
                self._heads.clear()


def depends_on_itself(stream_id: int) -> StreamError:
    """Return the error of a priority that makes no sense; RFC 9113 ignores others."""
    return StreamError(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} depends on itself", stream_id=stream_id)
