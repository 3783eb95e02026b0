"""What one client may make a server hold or do: every bound of the server's end of a connection, with its reason.

Memory of a connection is at most MAX_BUFFERED_BYTES of requests in the making, one header block, what the transport
lets pile up unsent, and a few hundred bytes for each open stream. A server whose clients are strangers gives each of
them a smaller `Allowance`.
"""

from typing import Final, NamedTuple

MAX_FRAME_BYTES: Final = 1 << 14
"""The payload of a frame we accept; what every HTTP/2 peer keeps to unless told otherwise."""

MAX_REQUEST_BYTES: Final = 4 << 20
"""A larger request message ends its call with RESOURCE_EXHAUSTED; gRPC's usual limit."""

MAX_BUFFERED_BYTES: Final = 64 << 20
"""All request messages of a connection that are unfinished or wait for their handlers; the call that exceeds it ends
with RESOURCE_EXHAUSTED."""

UPLOADING_SHARE: Final = 4
"""While a connection has more than one part in four of them, only the oldest is let go on: the others are there already
with what STREAM_WINDOW_BYTES let them send, and wait for their turn."""

MAX_LIST_BYTES: Final = 16 << 10
"""A request's headers, counted as HPACK does; more ends the call with RESOURCE_EXHAUSTED."""

MAX_CONCURRENT_STREAMS: Final = 4096
"""Calls and watches a connection may have open; further ones are refused, and may be tried again."""

MAX_DISCARDED_BYTES: Final = 64 << 10
"""How much of the body of a request that is refused anyway is read, so that the refusal finds an orderly end."""

MAX_UNSENT_BYTES: Final = 16 << 20
"""Answers of one connection that wait for the client's windows. While there are more, streams are not continued, and
new calls end with RESOURCE_EXHAUSTED."""

STREAM_WINDOW_BYTES: Final = 64 << 10
"""What a stream may send before it is given credit: most requests never need any."""

CONNECTION_WINDOW_BYTES: Final = 1 << 30
"""Too large to matter: what a connection may make us hold is counted by MAX_BUFFERED_BYTES."""

RESETS_AT_ONCE: Final = MAX_CONCURRENT_STREAMS
RESETS_PER_SECOND: Final = 200
"""How many streams a client may open and take back, or break. All of a connection's watches may be given up at once;
whoever goes on like that is after our time ("rapid reset") and is sent away with ENHANCE_YOUR_CALM."""

IDLE_BYTES: Final = 128 << 10
MAX_IDLE_BYTES: Final = 1 << 20
IDLE_BYTES_PER_SECOND: Final = 1 << 10
"""What a client may send that is no request (pings, settings, credits, padding, empty frames): so much to begin with,
as much again as it is sent in answers, and a little for each second. More is a flood, and ends with
ENHANCE_YOUR_CALM."""

SETTINGS_COST_BYTES_PER_STREAM: Final = 32
"""What a change of the window size counts besides, for each open stream: all of their windows have to be moved."""

REMEMBERED_STREAMS: Final = 1024
"""How many closed streams are told from those that never were, to give late frames the answer they deserve."""

MAX_CACHED_HEADS: Final = 64
MAX_CACHED_HEAD_BYTES: Final = 1 << 10
"""Heads a client repeats are not read again: so many, up to that size each, block and headers together."""

MAX_DEBUG_BYTES: Final = 200
"""How much the last words to a client may say."""


class Allowance(NamedTuple):
    """What one connection may have: calls and watches at a time, and bytes of requests and of answers that wait."""

    streams: int = MAX_CONCURRENT_STREAMS
    buffered_bytes: int = MAX_BUFFERED_BYTES
    unsent_bytes: int = MAX_UNSENT_BYTES

    @property
    def uploading_bytes(self) -> int:
        """Return how much all uploads may have brought before they have to take turns."""
        return self.buffered_bytes // UPLOADING_SHARE


DEFAULT_ALLOWANCE: Final = Allowance()
"""For clients of this machine."""
