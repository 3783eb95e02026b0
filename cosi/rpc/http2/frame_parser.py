"""From the bytes of one frame to its value, or to the error code that RFC 9113 gives for what is wrong with it.

Checked here is every rule that a frame can break on its own. Rules about the order of frames belong to those who see
the order: `frame_reader` for header blocks, a connection for streams.

Two frames do not come back as they were: of priorities inside HEADERS only the dependency is kept, as the RFC allows,
and PUSH_PROMISE is always refused, because both ends in this house switch pushes off.
"""

from collections.abc import Callable

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError


def parse_header(buffer: bytes, position: int = 0) -> tuple[int, int, int, int]:
    """Split nine bytes into payload length, type, flags and stream id; the reserved bit is ignored."""
    high, low, frame_type, flags, stream_id = frames.FRAME_HEADER.unpack_from(buffer, position)
    return high << 8 | low, frame_type, flags, stream_id & frames.MAX_STREAM_ID


def parse(frame_type: int, flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    """Make the frame, or raise ProtocolError, or StreamError where the RFC lets the connection go on."""
    parser = _PARSERS.get(frame_type)
    if parser is None:
        return frames.Extension(stream_id, frame_type=frame_type, flags=flags, payload=payload)
    return parser(flags, stream_id, payload)


def _parse_data(flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_stream("DATA", stream_id)
    data, padding = _unpad("DATA", flags, payload)
    return frames.Data(stream_id, data, end_stream=bool(flags & frames.END_STREAM), padding=padding)


def _parse_headers(flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_stream("HEADERS", stream_id)
    block, padding = _unpad("HEADERS", flags, payload)
    depends_on = None
    if flags & frames.WITH_PRIORITY:
        if len(block) < frames.PRIORITY_FIELDS.size:
            raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, "a HEADERS frame ends inside its priority fields")
        depends_on = frames.PRIORITY_FIELDS.unpack_from(block)[0] & frames.MAX_STREAM_ID
        block = block[frames.PRIORITY_FIELDS.size :]
    return frames.Headers(
        stream_id,
        block,
        end_stream=bool(flags & frames.END_STREAM),
        end_headers=bool(flags & frames.END_HEADERS),
        padding=padding,
        depends_on=depends_on,
    )


def _parse_continuation(flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_stream("CONTINUATION", stream_id)
    return frames.Continuation(stream_id, payload, end_headers=bool(flags & frames.END_HEADERS))


def _parse_priority(_flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_stream("PRIORITY", stream_id)
    if len(payload) != frames.PRIORITY_FIELDS.size:
        message = f"a PRIORITY frame has {len(payload)} bytes instead of {frames.PRIORITY_FIELDS.size}"
        raise StreamError(ErrorCode.FRAME_SIZE_ERROR, message, stream_id=stream_id)
    dependency, weight = frames.PRIORITY_FIELDS.unpack(payload)
    return frames.Priority(
        stream_id, depends_on=dependency & frames.MAX_STREAM_ID, exclusive=bool(dependency >> 31), weight=weight
    )


def _parse_rst_stream(_flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_stream("RST_STREAM", stream_id)
    _require_size("RST_STREAM", payload, frames.UINT32.size)
    return frames.RstStream(stream_id, frames.UINT32.unpack(payload)[0])


def _parse_settings(flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_connection("SETTINGS", stream_id)
    ack = bool(flags & frames.ACK)
    if len(payload) % frames.SETTING.size or (ack and payload):
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a SETTINGS frame must not have {len(payload)} bytes")
    values = {}
    for identifier, value in frames.SETTING.iter_unpack(payload):
        _require_setting(identifier, value)
        values[identifier] = value
    return frames.Settings(values, ack=ack)


def _require_setting(identifier: int, value: int) -> None:
    if identifier == frames.ENABLE_PUSH and value > 1:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH is {value}; it is 0 or 1")
    if identifier == frames.INITIAL_WINDOW_SIZE and value > frames.MAX_WINDOW_BYTES:
        message = f"INITIAL_WINDOW_SIZE is {value}; it is at most {frames.MAX_WINDOW_BYTES}"
        raise ProtocolError(ErrorCode.FLOW_CONTROL_ERROR, message)
    smallest, largest = frames.DEFAULT_MAX_FRAME_BYTES, frames.LARGEST_MAX_FRAME_BYTES
    if identifier == frames.MAX_FRAME_SIZE and not smallest <= value <= largest:
        message = f"MAX_FRAME_SIZE is {value}; it may be {smallest} to {largest}"
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, message)


def _refuse_push_promise(_flags: int, _stream_id: int, _payload: bytes) -> frames.Frame:
    raise ProtocolError(ErrorCode.PROTOCOL_ERROR, "a PUSH_PROMISE frame came, though pushes are switched off")


def _parse_ping(flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_connection("PING", stream_id)
    _require_size("PING", payload, frames.PING_BYTES)
    return frames.Ping(payload, ack=bool(flags & frames.ACK))


def _parse_goaway(_flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_connection("GOAWAY", stream_id)
    if len(payload) < frames.GOAWAY_START.size:
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a GOAWAY frame has only {len(payload)} bytes")
    last_stream_id, code = frames.GOAWAY_START.unpack_from(payload)
    return frames.GoAway(last_stream_id & frames.MAX_STREAM_ID, code, payload[frames.GOAWAY_START.size :])


def _parse_window_update(_flags: int, stream_id: int, payload: bytes) -> frames.Frame:
    _require_size("WINDOW_UPDATE", payload, frames.UINT32.size)
    increment = frames.UINT32.unpack(payload)[0] & frames.MAX_WINDOW_BYTES
    if not increment:
        message = "a WINDOW_UPDATE frame adds nothing"
        if stream_id:
            raise StreamError(ErrorCode.PROTOCOL_ERROR, message, stream_id=stream_id)
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, message)
    return frames.WindowUpdate(stream_id, increment)


def _unpad(name: str, flags: int, payload: bytes) -> tuple[bytes, int | None]:
    if not flags & frames.PADDED:
        return payload, None
    if not payload:
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, f"a padded {name} frame lacks its padding length")
    padding = payload[0]
    if padding >= len(payload):
        raise ProtocolError(
            ErrorCode.PROTOCOL_ERROR, f"a {name} frame of {len(payload)} bytes has {padding} of padding"
        )
    return payload[1 : len(payload) - padding], padding


def _require_stream(name: str, stream_id: int) -> None:
    if not stream_id:
        raise ProtocolError(ErrorCode.PROTOCOL_ERROR, f"a {name} frame belongs to no stream")


def _require_connection(name: str, stream_id: int) -> None:
    if stream_id:
        raise ProtocolError(
            ErrorCode.PROTOCOL_ERROR, f"a {name} frame names stream {stream_id} instead of the connection"
        )


def _require_size(name: str, payload: bytes, size_bytes: int) -> None:
    if len(payload) != size_bytes:
        message = f"a {name} frame has {len(payload)} bytes instead of {size_bytes}"
        raise ProtocolError(ErrorCode.FRAME_SIZE_ERROR, message)


_PARSERS: dict[int, Callable[[int, int, bytes], frames.Frame]] = {
    frames.DATA: _parse_data,
    frames.HEADERS: _parse_headers,
    frames.PRIORITY: _parse_priority,
    frames.RST_STREAM: _parse_rst_stream,
    frames.SETTINGS: _parse_settings,
    frames.PUSH_PROMISE: _refuse_push_promise,
    frames.PING: _parse_ping,
    frames.GOAWAY: _parse_goaway,
    frames.WINDOW_UPDATE: _parse_window_update,
    frames.CONTINUATION: _parse_continuation,
}
