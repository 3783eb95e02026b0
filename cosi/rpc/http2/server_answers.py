"""The answering half of a server's end of a connection: which calls are open, how they are answered, how they end.

    respond                 HEADERS ── DATA ── HEADERS(end)      one message, and all is well
    send, send, …, finish   HEADERS ── DATA* ── HEADERS(end)     what does not fit the windows waits
    finish                  HEADERS(end)                         an error at once ("trailers only")

A call that is answered before its request has ended is reset with NO_ERROR afterwards, as RFC 9113 wants it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from struct import Struct

from cosi.rpc.http2 import frames, grpc_answer, limits
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.frame_writer import FrameWriter
from cosi.rpc.http2.grpc_request import Metadata, metadata_header
from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.patience import Patience
from cosi.rpc.http2.request_head import GrpcRefusal, HttpRefusal
from cosi.rpc.http2.server_stream import ENVELOPE_BYTES, Refused, ServerStream
from cosi.rpc.http2.status import Code
from cosi.rpc.http2.stream_ids import StreamIds

# Whole frames with constant blocks, for every call: packed in one go.
_HEADERS_BYTES, _OK_BYTES = len(grpc_answer.HEADERS), len(grpc_answer.OK_TRAILERS)
_FRAMES_BYTES = _HEADERS_BYTES + _OK_BYTES + 3 * frames.FRAME_HEADER.size
_pack_headers = Struct(f">HBBBL{_HEADERS_BYTES}s").pack
_pack_ok = Struct(f">HBBBL{_OK_BYTES}s").pack


class ServerAnswers:
    """The calls of one connection. `closed` once the connection is to be closed."""

    def __init__(self, patience: Patience, allowance: limits.Allowance) -> None:
        self.closed = False
        self.allowance = allowance
        self._writer = FrameWriter()
        self._patience = patience
        self._streams: dict[int, ServerStream] = {}
        self._ids = StreamIds()
        self._buffered_bytes = 0
        self._uploads: OrderedDict[ServerStream, None] = OrderedDict()  # requests that are kept in part, oldest first
        self._starved: OrderedDict[ServerStream, None] = OrderedDict()  # those of them that may send no more for now
        self._refusing = False  # the client knows that it may open no more streams

    @property
    def open_streams(self) -> int:
        """How many calls have not ended."""
        return len(self._streams)

    @property
    def overfull(self) -> bool:
        """Whether more answers wait for the client's windows than a connection may have."""
        return self._writer.waiting_bytes > self.allowance.unsent_bytes

    def data_to_send(self) -> bytes:
        """Return, once, the bytes that are due to the client."""
        return self._writer.fetch()

    def respond(self, stream_id: int, answer: bytes) -> None:
        """Answer a call with its one message, and that it went well."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.answered:
            return
        if stream.answering or not self._writer.fits(stream, len(answer)):
            self.send(stream_id, answer)
            self.finish(stream_id, Code.OK)
            return
        self._patience.earn(_FRAMES_BYTES + len(answer))
        self._writer.write_fitting(stream, _headers_frame(stream_id), answer, _ok_frame(stream_id))
        self._forget(stream)

    def send(self, stream_id: int, answer: bytes) -> bool:
        """Queue framed messages, and tell whether all went out; if not, Writable follows when they have."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.answered:
            return True
        if not stream.answering:
            stream.answering = True
            self._writer.write(_headers_frame(stream_id))
        self._patience.earn(frames.FRAME_HEADER.size + len(answer))
        return self._writer.send(stream, answer)

    def finish(self, stream_id: int, code: Code, message: str = "", trailers: Metadata = ()) -> None:
        """End an answer, once what was queued has gone out. Raises ValueError for trailers gRPC can't carry."""
        headers = [metadata_header(key, value) for key, value in trailers]
        stream = self._streams.get(stream_id)
        if stream is not None and not stream.answered:
            self._end(stream, code, message, headers)

    def taken(self, stream_id: int, message: bytes) -> None:
        """Note that a request message is with its handler, so that the client may send more."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        size_bytes = ENVELOPE_BYTES + len(message)
        stream.untaken_bytes = max(0, stream.untaken_bytes - size_bytes)
        if stream.window is not None:
            stream.window.release(size_bytes)
        self._recount(stream)
        self._credit(stream)

    def _end(self, stream: ServerStream, code: Code, message: str, trailers: Sequence[Header]) -> None:
        if code is Code.OK and stream.answering and not trailers:
            ending = _ok_frame(stream.id)
        else:
            block = grpc_answer.trailers_block(code, message, trailers, only=not stream.answering)
            ending = self._writer.headers_frames(stream.id, block, end_stream=True)
        self._patience.earn(len(ending))
        if self._writer.send(stream, b"", ending=ending):
            self._forget(stream)

    def _answer_in_words(self, stream: ServerStream, refusal: HttpRefusal) -> None:
        block = grpc_answer.http_block(refusal.status, len(refusal.body), refusal.extra)
        self._writer.write(self._writer.headers_frames(stream.id, block, end_stream=not refusal.body))
        if self._writer.send(stream, refusal.body, ending=b""):
            self._forget(stream)

    def _refuse(self, stream: ServerStream, refusal: GrpcRefusal) -> None:
        # What was kept of the request is of no use any more, even while the answer waits for a window.
        stream.partial = b""
        stream.untaken_bytes = 0
        self._recount(stream)
        self._end(stream, refusal.code, refusal.message, refusal.trailers)

    def _recount(self, stream: ServerStream) -> None:
        """Count anew what is kept of a request. Raises Refused if it is too much for the connection."""
        held_bytes = stream.untaken_bytes + len(stream.partial)
        if held_bytes == stream.counted_bytes:
            return
        self._buffered_bytes += held_bytes - stream.counted_bytes
        stream.counted_bytes = held_bytes
        if self._buffered_bytes > self.allowance.buffered_bytes:
            message = f"the connection has more than {self.allowance.buffered_bytes} bytes of requests under way"
            raise Refused(GrpcRefusal(Code.RESOURCE_EXHAUSTED, message))
        if held_bytes:
            self._uploads[stream] = None
        else:
            self._end_upload(stream)

    def _credit(self, stream: ServerStream) -> None:
        """Let the client go on with a request, if it is its turn."""
        if stream.window is None or stream.ended:
            return
        if self._buffered_bytes > self.allowance.uploading_bytes and stream is not next(iter(self._uploads)):
            self._starved[stream] = None
        elif increment := stream.window.credit():
            self._writer.write(frames.WindowUpdate(stream.id, increment).serialize())

    def _end_upload(self, stream: ServerStream) -> None:
        """Note that nothing of a request is kept any more; it is the turn of those that wait, or of the oldest."""
        self._uploads.pop(stream, None)
        self._starved.pop(stream, None)
        while self._starved and self._buffered_bytes <= self.allowance.uploading_bytes:
            self._credit(self._starved.popitem(last=False)[0])
        if self._starved and (oldest := next(iter(self._uploads))) in self._starved:
            del self._starved[oldest]
            self._credit(oldest)

    def _forget(self, stream: ServerStream) -> None:
        """Note that all of the answer has gone out."""
        self._remove(stream)
        if stream.ended:
            self._ids.close(stream.id)
        else:
            self._ids.give_up(stream.id)
            self._writer.write(frames.RstStream(stream.id, ErrorCode.NO_ERROR).serialize())

    def _remove(self, stream: ServerStream) -> None:
        del self._streams[stream.id]
        self._writer.drop(stream)
        if stream.counted_bytes:
            self._buffered_bytes -= stream.counted_bytes
            self._end_upload(stream)
        if self._refusing and not self._streams:
            self.closed = True


def _headers_frame(stream_id: int) -> bytes:
    return _pack_headers(0, _HEADERS_BYTES, frames.HEADERS, frames.END_HEADERS, stream_id, grpc_answer.HEADERS)


def _ok_frame(stream_id: int) -> bytes:
    flags = frames.END_HEADERS | frames.END_STREAM
    return _pack_ok(0, _OK_BYTES, frames.HEADERS, flags, stream_id, grpc_answer.OK_TRAILERS)
