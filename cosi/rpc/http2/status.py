"""How a call ends: the gRPC status codes, and what other layers' failures mean in them.

The two tables are those of gRPC's own documents (PROTOCOL-HTTP2.md and http-grpc-status-mapping.md); whatever they do
not list is UNKNOWN for HTTP and INTERNAL for HTTP/2.
"""

from enum import IntEnum

from cosi.rpc.http2.errors import ErrorCode


class Code(IntEnum):
    """The gRPC status codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RpcError(Exception):
    """A call did not end well: `code` and `message` are the server's, or ours where the server could not be asked."""

    def __init__(self, code: Code, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code, message)

    @property
    def code_name(self) -> str:
        """The code as gRPC's documents write it, such as NOT_FOUND."""
        return self.code.name

    def __str__(self) -> str:
        return f"{self.code_name}: {self.message}" if self.message else self.code_name


def code_of_http_status(http_status: int) -> Code:
    """Return the code for an answer that carries no gRPC status: something other than a gRPC server wrote it."""
    return _CODES_BY_HTTP_STATUS.get(http_status, Code.UNKNOWN)


def code_of_reset(error_code: int) -> Code:
    """Return the code for a stream that the server reset."""
    return _CODES_BY_RESET.get(error_code, Code.INTERNAL)


_CODES_BY_HTTP_STATUS: dict[int, Code] = {
    400: Code.INTERNAL,
    401: Code.UNAUTHENTICATED,
    403: Code.PERMISSION_DENIED,
    404: Code.UNIMPLEMENTED,
    429: Code.UNAVAILABLE,
    502: Code.UNAVAILABLE,
    503: Code.UNAVAILABLE,
    504: Code.UNAVAILABLE,
}

_CODES_BY_RESET: dict[int, Code] = {
    ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCode.CANCEL: Code.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    ErrorCode.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}
