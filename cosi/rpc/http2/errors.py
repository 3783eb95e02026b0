"""What can be wrong with a peer's bytes, by how much it breaks: one stream, or the whole connection.

    ProtocolError        the connection is lost: send GOAWAY with `code`, then close
    └── StreamError      only `stream_id` is lost: send RST_STREAM with `code`, the others go on

Nothing else may leave this room because of bytes that a peer sent.
"""

from enum import IntEnum


class ErrorCode(IntEnum):
    """Why a stream or a connection ends, as RST_STREAM and GOAWAY say it (RFC 9113, section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class ProtocolError(Exception):
    """The peer broke HTTP/2 in a way that the connection does not survive."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class StreamError(ProtocolError):
    """The peer broke one stream; the connection is still in step."""

    def __init__(self, code: ErrorCode, message: str, *, stream_id: int) -> None:
        super().__init__(code, message)
        self.stream_id = stream_id


def error_name(code: int) -> str:
    """Name an error code from the wire, which may be one that no document knows."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code:#x}"
