"""One gRPC answer, put together from the headers and data of its stream.

    HEADERS ── DATA* ── HEADERS(end)     an answer with messages; the status is in the second headers, the trailers
    HEADERS(end)                         an error at once ("trailers only"); the status is in the first headers

Messages are cut by their envelopes, not by frames: one frame may hold many, one message may span many. Anything that is
not a gRPC answer ends the call with the code that gRPC's documents give for it; StreamError is left for headers that
even HTTP would refuse.
"""

from collections.abc import Sequence

from cosi.rpc.http2 import status
from cosi.rpc.http2.errors import ErrorCode, StreamError, error_name
from cosi.rpc.http2.events import Ended, Event, Message, ResponseHeaders
from cosi.rpc.http2.grpc_request import ENVELOPE
from cosi.rpc.http2.hpack import Header
from cosi.rpc.http2.status import Code

MAX_MESSAGE_BYTES = 32 * 1024 * 1024  # as talosctl
LONGEST_STATUS_DIGITS = 3

_HEX_DIGITS = b"0123456789abcdefABCDEF"


class GrpcResponse:
    """The reading side of one call. Each method returns what it completed; after an Ended no method may be called."""

    def __init__(self, stream_id: int, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._stream_id = stream_id
        self._max_message_bytes = max_message_bytes
        self._answering = False
        self._buffer = bytearray()

    def headers(self, headers: Sequence[Header], *, end_stream: bool) -> list[Event]:
        """Take a header list: the first headers or the trailers, or an interim answer, which means nothing here."""
        if self._answering:
            self._require_no_pseudo_headers(headers)
            if not end_stream:
                raise self._malformed("its trailers do not end it")
            return [self._end(headers)]
        http_status = self._http_status(headers)
        if http_status < 200:
            if end_stream:
                raise self._malformed("an interim answer ends it")
            return []
        return self._first_headers(http_status, headers, end_stream=end_stream)

    def data(self, data: bytes, *, end_stream: bool) -> list[Event]:
        """Take a piece of the body."""
        if not self._answering:
            raise self._malformed("data came before headers")
        self._buffer += data
        events = self._messages()
        if end_stream and not (events and isinstance(events[-1], Ended)):
            events.append(self._ended(Code.INTERNAL, "the server ended the answer without trailers"))
        return events

    def reset(self, error_code: int) -> Ended:
        """End the call because the server reset its stream."""
        return self._ended(status.code_of_reset(error_code), f"the server reset the call: {error_name(error_code)}")

    def _first_headers(self, http_status: int, headers: Sequence[Header], *, end_stream: bool) -> list[Event]:
        fields = dict(headers)
        content_type = fields.get(b"content-type", b"")
        if http_status != 200 and b"grpc-status" not in fields:
            message = f"the server answered with HTTP status {http_status} and no gRPC status"
            return [self._ended(status.code_of_http_status(http_status), message)]
        if not _is_grpc(content_type):
            shown = content_type.decode("ascii", "replace")
            return [self._ended(Code.UNKNOWN, f"the server answered with content type {shown!r}, which is not gRPC")]
        if end_stream:
            return [self._end(headers)]
        self._answering = True
        return [ResponseHeaders(self._stream_id, headers)]

    def _messages(self) -> list[Event]:
        events: list[Event] = []
        position = 0
        while len(self._buffer) - position >= ENVELOPE.size:
            compressed, length = ENVELOPE.unpack_from(self._buffer, position)
            if compressed:
                events.append(self._ended(Code.INTERNAL, "the server compressed a message, though nobody offered that"))
                break
            if length > self._max_message_bytes:
                limit = f"at most {self._max_message_bytes} are accepted"
                events.append(self._ended(Code.RESOURCE_EXHAUSTED, f"a message has {length} bytes; {limit}"))
                break
            start = position + ENVELOPE.size
            if start + length > len(self._buffer):
                break
            position = start + length
            events.append(Message(self._stream_id, bytes(self._buffer[start:position])))
        del self._buffer[:position]
        return events

    def _end(self, headers: Sequence[Header]) -> Ended:
        fields = dict(headers)
        if b"grpc-status" not in fields:
            return self._ended(Code.UNKNOWN, "the server ended the answer without a gRPC status")
        code = _code(fields[b"grpc-status"])
        if code == Code.OK and self._buffer:
            return self._ended(Code.INTERNAL, "the server ended the answer inside a message")
        return Ended(self._stream_id, code, _percent_decode(fields.get(b"grpc-message", b"")), headers)

    def _ended(self, code: Code, message: str) -> Ended:
        return Ended(self._stream_id, code, message)

    def _http_status(self, headers: Sequence[Header]) -> int:
        name, value = headers[0] if headers else (b"", b"")
        if name != b":status" or len(value) != 3 or not value.isdigit() or value < b"100":
            raise self._malformed("its headers do not begin with an HTTP status")
        self._require_no_pseudo_headers(headers[1:])
        return int(value)

    def _require_no_pseudo_headers(self, headers: Sequence[Header]) -> None:
        if any(name.startswith(b":") for name, _ in headers):
            raise self._malformed("a pseudo-header is out of place")

    def _malformed(self, what: str) -> StreamError:
        message = f"the server's answer is malformed: {what}"
        return StreamError(ErrorCode.PROTOCOL_ERROR, message, stream_id=self._stream_id)


def _is_grpc(content_type: bytes) -> bool:
    return content_type == b"application/grpc" or content_type.startswith((b"application/grpc+", b"application/grpc;"))


def _code(text: bytes) -> Code:
    if not text.isdigit() or len(text) > LONGEST_STATUS_DIGITS:
        return Code.UNKNOWN
    try:
        return Code(int(text))
    except ValueError:
        return Code.UNKNOWN


def _percent_decode(text: bytes) -> str:
    """Decode as far as it goes: gRPC asks that what is not a valid escape stays as it stands."""
    first, *escapes = text.split(b"%")
    decoded = bytearray(first)
    for escape in escapes:
        if len(escape) >= 2 and escape[0] in _HEX_DIGITS and escape[1] in _HEX_DIGITS:
            decoded.append(int(escape[:2], 16))
            decoded += escape[2:]
        else:
            decoded += b"%" + escape
    return decoded.decode("utf-8", "replace")
