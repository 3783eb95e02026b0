"""How a connection begins: the client's preface, and who sends something else instead.

The server's own greeting waits for the preface, so that who speaks HTTP/1 gets an answer it can read.
"""

import re
from functools import lru_cache

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import ErrorCode, ProtocolError
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.frames import PREFACE

HTTP_1_ANSWER = (
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
    b"This server speaks gRPC, which needs HTTP/2.\n"
)


MAX_REQUEST_LINE_BYTES = 1024
"""How much of what looks like a request of HTTP/1 is read to know it."""

_METHOD = re.compile(rb"[A-Z]{1,10}(?: |$)")


@lru_cache
def greeting(max_streams: int) -> bytes:
    """Return what a server says first, to a client that may have so many streams open."""
    settings = frames.Settings(
        {
            frames.MAX_CONCURRENT_STREAMS: max_streams,
            frames.INITIAL_WINDOW_SIZE: limits.STREAM_WINDOW_BYTES,
            frames.MAX_HEADER_LIST_SIZE: limits.MAX_LIST_BYTES,
        }
    )
    window = frames.WindowUpdate(0, limits.CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
    return settings.serialize() + window.serialize()


class SpeaksHttp1(ProtocolError):
    """The client sent a request of HTTP/1."""


class PrefaceReader:
    """Takes what a client sends first."""

    __slots__ = ("_begun", "complete")

    def __init__(self) -> None:
        self._begun = b""
        self.complete = False

    def receive(self, data: bytes) -> bytes:
        """Take bytes and return what of them comes after the preface. Raises ProtocolError, SpeaksHttp1."""
        begun = self._begun + data
        if begun.startswith(PREFACE):
            self.complete = True
            return begun[len(PREFACE) :]
        if not PREFACE.startswith(begun):
            message = "the client did not begin with the preface of HTTP/2"
            first_line, newline, _ = begun.partition(b"\n")
            if b" HTTP/1." in first_line:
                raise SpeaksHttp1(ErrorCode.PROTOCOL_ERROR, message)
            if newline or len(begun) > MAX_REQUEST_LINE_BYTES or not _METHOD.match(begun):
                raise ProtocolError(ErrorCode.PROTOCOL_ERROR, message)
        self._begun = begun
        return b""
