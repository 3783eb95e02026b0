"""The verdicts of another implementation of HTTP/2, the `h2` package, to hold ours against.

It is set up to allow what our server allows, and asked after every frame what became of it: the connection broke, a
stream broke, or all is well. Where the two differ, the test that asks decides whether that is known and right.
"""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.exceptions import ProtocolError as H2Error
from h2.settings import SettingCodes

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.errors import error_name
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.server_connection import ServerConnection
from tests.cosi.rpc.http2.server.peer import Clock

ACKNOWLEDGEMENT = frames.Settings(ack=True).serialize()
GREETING = frames.PREFACE + frames.Settings().serialize() + ACKNOWLEDGEMENT


class Ours:
    """Our server, which reads the same bytes."""

    def __init__(self) -> None:
        self._connection = ServerConnection(clock=Clock())
        self._connection.receive(GREETING)
        self._connection.data_to_send()

    def verdict(self, data: bytes) -> str:
        self._connection.receive(data)
        return verdict_in(self._connection.data_to_send())


class Theirs:
    """The server that `h2` makes."""

    def __init__(self) -> None:
        self._connection = H2Connection(H2Configuration(client_side=False))
        self._connection.initiate_connection()
        self._connection.update_settings(
            {
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.MAX_CONCURRENT_STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: limits.STREAM_WINDOW_BYTES,
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.MAX_LIST_BYTES,
            }
        )
        self._connection.increment_flow_control_window(limits.CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
        self._connection.receive_data(GREETING + ACKNOWLEDGEMENT)  # it greets twice, to say what it wants
        self._connection.data_to_send()

    def verdict(self, data: bytes) -> str:
        try:
            self._connection.receive_data(data)
        except H2Error as error:
            return f"GOAWAY {error_name(error.error_code)}"
        return verdict_in(self._connection.data_to_send())


def verdict_in(said: bytes) -> str:
    """Name the worst that the frames say."""
    verdict, position = "fine", 0
    while position < len(said):
        high, low, frame_type, _, _ = frames.FRAME_HEADER.unpack_from(said, position)
        start = position + frames.FRAME_HEADER.size
        position = start + (high << 8 | low)
        if frame_type == frames.GOAWAY:
            return f"GOAWAY {error_name(frames.GOAWAY_START.unpack_from(said, start)[1])}"
        if frame_type == frames.RST_STREAM:
            verdict = f"RST_STREAM {error_name(frames.UINT32.unpack_from(said, start)[0])}"
    return verdict
