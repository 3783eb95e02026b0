"""Cuts a byte stream into frames, and joins each header block, which HTTP/2 may spread over many frames, into one.

Holds at most one unfinished frame and one unfinished header block, both bounded: a frame is refused when its header
announces too much, before its payload is awaited; a block is refused by its bytes and by its number of pieces, because
a flood of empty CONTINUATION frames costs a reader time without ever growing the block.
"""

from cosi.rpc.http2 import frame_parser, frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError

MAX_BLOCK_BYTES = 128 * 1024  # twice the header list we accept: the rest is room for what compresses badly
MAX_BLOCK_PIECES = 64


class FrameReader:
    """The reading half of a connection, whichever side it is on."""

    def __init__(self, *, max_frame_bytes: int = frames.DEFAULT_MAX_FRAME_BYTES) -> None:
        self._max_frame_bytes = max_frame_bytes
        self._buffer = b""
        self._position = 0
        self.frame_bytes = 0
        """The size on the wire of the frame that came last, with all pieces of a header block."""
        self._opening: frames.Headers | None = None
        self._pieces = 0

    def feed(self, data: bytes) -> None:
        """Take what arrived; `next_frame` says what it completed."""
        self._buffer = self._buffer[self._position :] + data if self._position < len(self._buffer) else data
        self._position = 0

    def next_frame(self) -> frames.Frame | None:
        """Return the next whole frame, or None until more bytes come; HEADERS come with their whole block.

        Raises ProtocolError, after which the reader is of no more use, and StreamError, after which it goes on with the
        frame behind the bad one.
        """
        while (frame := self._next_piece()) is not None:
            if isinstance(frame, frames.Continuation) and self._opening is not None:
                frame = self._join(self._opening, frame)
            if not isinstance(frame, frames.Headers) or frame.end_headers:
                self._opening = None
                self._pieces = 0
                return frame
            self._opening = frame
            self._pieces += 1
        return None

    def _next_piece(self) -> frames.Frame | None:
        buffer = self._buffer
        start = self._position + frames.FRAME_HEADER.size
        if start > len(buffer):
            return None
        length, frame_type, flags, stream_id = frame_parser.parse_header(buffer, self._position)
        if length > self._max_frame_bytes:
            message = f"a frame announces {length} bytes; at most {self._max_frame_bytes} are accepted"
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, message)
        if self._opening is not None or frame_type == frames.CONTINUATION:
            self._require_order(frame_type, stream_id)
        end = start + length
        if end > len(buffer):
            return None
        self._position = end
        piece_bytes = end - start + frames.FRAME_HEADER.size
        self.frame_bytes = piece_bytes if self._opening is None else self.frame_bytes + piece_bytes
        return frame_parser.parse(frame_type, flags, stream_id, buffer[start:end])

    def _require_order(self, frame_type: int, stream_id: int) -> None:
        continues = frame_type == frames.CONTINUATION
        if self._opening is None:
            if continues:
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a CONTINUATION frame continues no header block")
        elif not continues or stream_id != self._opening.stream_id:
            message = f"another frame came inside the header block of stream {self._opening.stream_id}"
            raise ProtocolError(ErrorCode.PROTOCOL_ERROR, message)

    def _join(self, opening: frames.Headers, piece: frames.Continuation) -> frames.Headers:
        if self._pieces == MAX_BLOCK_PIECES:
            message = f"a header block came in more than {MAX_BLOCK_PIECES} frames"
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, message)
        block = opening.block + piece.block
        if len(block) > MAX_BLOCK_BYTES:
            message = f"a header block has {len(block)} bytes or more; at most {MAX_BLOCK_BYTES} are accepted"
            raise ProtocolError(ErrorCode.ENHANCE_YOUR_CALM, message)
        return frames.Headers(
            opening.stream_id,
            block,
            end_stream=opening.end_stream,
            end_headers=piece.end_headers,
            depends_on=opening.depends_on,
        )
