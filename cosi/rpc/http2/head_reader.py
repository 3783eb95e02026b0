"""From header blocks to heads: blocks that a client repeats are not read again.

As long as the dynamic table stays as it is, the same block means the same headers; and headers that differ in nothing
but their timeout have heads that differ in nothing else. Clients send the same few over and over, so most calls cost
a look into a dictionary.
"""

from collections.abc import Sized

from cosi.rpc.http2.errors import ErrorCode, StreamError
from cosi.rpc.http2.frames import Headers
from cosi.rpc.http2.hpack import Header, HeaderDecoder, HeaderListTooLarge
from cosi.rpc.http2.limits import MAX_CACHED_HEAD_BYTES, MAX_CACHED_HEADS, MAX_LIST_BYTES
from cosi.rpc.http2.request_head import TIMEOUT, GrpcRefusal, RequestHead, read_head, read_trailers, timeout_of
from cosi.rpc.http2.status import Code

_ANY_TIMEOUT = (TIMEOUT, b"1S")


class HeadReader:
    """The header blocks of one connection, in the order they arrive. Raises ProtocolError where they are not HPACK."""

    __slots__ = ("_decoder", "_heads", "_heads_but_for_timeout")

    def __init__(self) -> None:
        self._decoder = HeaderDecoder(max_list_bytes=MAX_LIST_BYTES)
        self._heads: dict[bytes, RequestHead] = {}
        self._heads_but_for_timeout: dict[tuple[Header, ...], RequestHead] = {}

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
        head = self._head(headers, frame.stream_id)
        if moves == self._decoder.moves and _may_be_kept(headers, self._heads, block):
            self._heads[block] = head
        return head

    def _head(self, headers: list[Header], stream_id: int) -> RequestHead:
        """Return the head of some headers; those that differ in their timeout alone are read once."""
        place = next((place for place, header in enumerate(headers) if header[0] == TIMEOUT), None)
        seconds = None if place is None else timeout_of(headers[place][1])
        if place is None or seconds is None:
            return read_head(headers, stream_id)
        headers[place] = _ANY_TIMEOUT
        key = tuple(headers)
        head = self._heads_but_for_timeout.get(key)
        if head is None:
            head = read_head(headers, stream_id)
            if _may_be_kept(headers, self._heads_but_for_timeout):
                self._heads_but_for_timeout[key] = head
        return head.within(seconds)

    def _decode(self, block: bytes) -> list[tuple[bytes, bytes]]:
        moves = self._decoder.moves
        try:
            return self._decoder.decode(block)
        finally:
            if moves != self._decoder.moves:
                self._heads.clear()


def _may_be_kept(headers: list[Header], heads: Sized, block: bytes = b"") -> bool:
    # By what it means as well as by its block: that may be a few references to long entries of the table.
    size_bytes = len(block) + sum([len(name) + len(value) for name, value in headers])
    return size_bytes <= MAX_CACHED_HEAD_BYTES and len(heads) < MAX_CACHED_HEADS


def depends_on_itself(stream_id: int) -> StreamError:
    """Return the error of a priority that makes no sense; RFC 9113 ignores others."""
    return StreamError(ErrorCode.PROTOCOL_ERROR, f"stream {stream_id} depends on itself", stream_id=stream_id)
