"""The frames of HTTP/2 (RFC 9113, section 6) as values that know their bytes; `frame_parser` is the way back.

    +--------------+------+-------+------------+=========+
    | length (24)  | type | flags | stream id  | payload |
    +--------------+------+-------+------------+=========+

A frame says what it is told to say: whether that fits the settings and the state of its stream is its sender's concern.
It is never changed once made. PUSH_PROMISE has no class, because nobody here asks for pushes.

The classes are written out instead of made by `dataclasses`, whose import costs more than that of this whole room.
"""

from collections.abc import Mapping
from struct import Struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # what a client sends before its first frame

DEFAULT_MAX_FRAME_BYTES = 1 << 14  # what every peer must accept
LARGEST_MAX_FRAME_BYTES = (1 << 24) - 1
MAX_WINDOW_BYTES = (1 << 31) - 1
MAX_STREAM_ID = (1 << 31) - 1
PING_BYTES = 8

# Frame types
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)

# Flags; a bit means different things on different types
END_STREAM = ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
WITH_PRIORITY = 0x20

# Settings
HEADER_TABLE_SIZE = 0x1
ENABLE_PUSH = 0x2
MAX_CONCURRENT_STREAMS = 0x3
INITIAL_WINDOW_SIZE = 0x4
MAX_FRAME_SIZE = 0x5
MAX_HEADER_LIST_SIZE = 0x6

# Layouts
FRAME_HEADER = Struct(">HBBBL")
SETTING = Struct(">HL")
UINT32 = Struct(">L")
GOAWAY_START = Struct(">LL")
PRIORITY_FIELDS = Struct(">LB")


class Frame:
    """A frame is its fields: frames with the same class and fields are equal."""

    __slots__ = ("stream_id",)

    stream_id: int

    def serialize(self) -> bytes:
        """Return the frame's bytes, header included."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and type(self) is type(other) and self._fields() == other._fields()

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self._fields())
        return f"{type(self).__name__}({fields})"

    def _fields(self) -> list[tuple[str, object]]:
        return [(name, getattr(self, name)) for name in ("stream_id", *self.__slots__)]


class Data(Frame):
    """Bytes of a stream. `padding` counts the filler bytes; None says that the frame has no padding field at all."""

    __slots__ = ("data", "end_stream", "padding")

    def __init__(self, stream_id: int, data: bytes, *, end_stream: bool = False, padding: int | None = None) -> None:
        self.stream_id = stream_id
        self.data = data
        self.end_stream = end_stream
        self.padding = padding

    @property
    def flow_bytes(self) -> int:
        """What the frame takes from both windows: padding counts."""
        return len(self.data) + (0 if self.padding is None else 1 + self.padding)

    def serialize(self) -> bytes:
        flags, payload = _pad(self.data, self.padding)
        return _frame(DATA, flags | END_STREAM * self.end_stream, self.stream_id, payload)


class Headers(Frame):
    """The first, and mostly the only, part of a header block. `depends_on` is what is kept of a priority, if any."""

    __slots__ = ("block", "depends_on", "end_headers", "end_stream", "padding")

    def __init__(
        self,
        stream_id: int,
        block: bytes,
        *,
        end_stream: bool = False,
        end_headers: bool = True,
        padding: int | None = None,
        depends_on: int | None = None,
    ) -> None:
        self.stream_id = stream_id
        self.block = block
        self.depends_on = depends_on
        self.end_stream = end_stream
        self.end_headers = end_headers
        self.padding = padding

    def serialize(self) -> bytes:
        flags, payload = _pad(self.block, self.padding)
        flags |= END_STREAM * self.end_stream | END_HEADERS * self.end_headers
        return _frame(HEADERS, flags, self.stream_id, payload)


class Continuation(Frame):
    """A further part of the header block that the frames just before began."""

    __slots__ = ("block", "end_headers")

    def __init__(self, stream_id: int, block: bytes, *, end_headers: bool) -> None:
        self.stream_id = stream_id
        self.block = block
        self.end_headers = end_headers

    def serialize(self) -> bytes:
        return _frame(CONTINUATION, END_HEADERS * self.end_headers, self.stream_id, self.block)


class Priority(Frame):
    """Advice that RFC 9113 withdrew; peers may still send it."""

    __slots__ = ("depends_on", "exclusive", "weight")

    def __init__(self, stream_id: int, *, depends_on: int, exclusive: bool, weight: int) -> None:
        self.stream_id = stream_id
        self.depends_on = depends_on
        self.exclusive = exclusive
        self.weight = weight

    def serialize(self) -> bytes:
        payload = PRIORITY_FIELDS.pack(self.exclusive << 31 | self.depends_on, self.weight)
        return _frame(PRIORITY, 0, self.stream_id, payload)


class RstStream(Frame):
    """One side gives the stream up."""

    __slots__ = ("code",)

    def __init__(self, stream_id: int, code: int) -> None:
        self.stream_id = stream_id
        self.code = code

    def serialize(self) -> bytes:
        return _frame(RST_STREAM, 0, self.stream_id, UINT32.pack(self.code))


class Settings(Frame):
    """What the sender asks the other side to respect; unknown settings are kept, for whoever knows them."""

    __slots__ = ("ack", "values")

    def __init__(self, values: Mapping[int, int] | None = None, *, ack: bool = False) -> None:
        self.stream_id = 0
        self.values = dict(values or {})
        self.ack = ack

    def serialize(self) -> bytes:
        payload = b"".join(SETTING.pack(identifier, value) for identifier, value in self.values.items())
        return _frame(SETTINGS, ACK * self.ack, 0, payload)


class Ping(Frame):
    """Eight bytes that the other side sends back."""

    __slots__ = ("ack", "payload")

    def __init__(self, payload: bytes, *, ack: bool = False) -> None:
        self.stream_id = 0
        self.payload = payload
        self.ack = ack

    def serialize(self) -> bytes:
        return _frame(PING, ACK * self.ack, 0, self.payload)


class GoAway(Frame):
    """No streams after `last_stream_id` were or will be processed."""

    __slots__ = ("code", "debug", "last_stream_id")

    def __init__(self, last_stream_id: int, code: int, debug: bytes = b"") -> None:
        self.stream_id = 0
        self.last_stream_id = last_stream_id
        self.code = code
        self.debug = debug

    def serialize(self) -> bytes:
        return _frame(GOAWAY, 0, 0, GOAWAY_START.pack(self.last_stream_id, self.code) + self.debug)


class WindowUpdate(Frame):
    """Leave to send `increment` bytes more, on one stream or (stream 0) on the connection."""

    __slots__ = ("increment",)

    def __init__(self, stream_id: int, increment: int) -> None:
        self.stream_id = stream_id
        self.increment = increment

    def serialize(self) -> bytes:
        return _frame(WINDOW_UPDATE, 0, self.stream_id, UINT32.pack(self.increment))


class Extension(Frame):
    """A frame of a type that this room does not know, which its reader must skip."""

    __slots__ = ("flags", "frame_type", "payload")

    def __init__(self, stream_id: int, *, frame_type: int, flags: int, payload: bytes) -> None:
        self.stream_id = stream_id
        self.frame_type = frame_type
        self.flags = flags
        self.payload = payload

    def serialize(self) -> bytes:
        return _frame(self.frame_type, self.flags, self.stream_id, self.payload)


def _frame(frame_type: int, flags: int, stream_id: int, payload: bytes) -> bytes:
    length = len(payload)
    return FRAME_HEADER.pack(length >> 8, length & 0xFF, frame_type, flags, stream_id) + payload


def _pad(content: bytes, padding: int | None) -> tuple[int, bytes]:
    if padding is None:
        return 0, content
    return PADDED, bytes((padding,)) + content + bytes(padding)
