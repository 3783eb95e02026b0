"""A client that others wrote gets on with our server: the `h2` package at the other end of a wire without a socket."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.http2.server_events import Cancelled, RequestMessage, ServerEvent
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import GRPC


class Wire:
    """Both ends of a connection. What a client gets it gives credit for at once."""

    def __init__(self, settings: dict[SettingCodes | int, int] | None = None) -> None:
        self.server = ServerConnection()
        self.client = H2Connection(H2Configuration(client_side=True))
        self.client.initiate_connection()
        self.client.update_settings(settings or {})
        self.heard: list[Event] = []
        self.asked: list[ServerEvent] = []
        self.carry()

    def carry(self) -> None:
        """Carry bytes both ways until nobody has anything more to say."""
        while True:
            question = self.client.data_to_send()
            if question:
                self.asked += self.server.receive(question)
            answer = self.server.data_to_send()
            if answer:
                self._hear(self.client.receive_data(answer))
            if not question and not answer:
                return

    def _hear(self, events: list[Event]) -> None:
        self.heard += events
        for event in events:
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def call(self, content: bytes, *, end: bool = True) -> int:
        stream_id = self.client.get_next_available_stream_id()
        self.client.send_headers(stream_id, list(GRPC))
        self.send(stream_id, envelope(content), end=end)
        return stream_id

    def send(self, stream_id: int, body: bytes, *, end: bool) -> None:
        while body:
            size = min(self.client.local_flow_control_window(stream_id), self.client.max_outbound_frame_size)
            assert size, "the server gives no credit"
            piece, body = body[:size], body[size:]
            self.client.send_data(stream_id, piece, end_stream=end and not body)
            self.carry()

    def body(self, stream_id: int) -> bytes:
        return b"".join(
            event.data for event in self.heard if isinstance(event, DataReceived) and event.stream_id == stream_id
        )

    def requests(self) -> list[bytes]:
        return [event.content for event in self.asked if isinstance(event, RequestMessage)]


def test_a_call_goes_there_and_back() -> None:
    wire = Wire()

    stream_id = wire.call(b"question")
    wire.server.respond(stream_id, envelope(b"answer"))
    wire.carry()

    kinds = [type(event) for event in wire.heard if getattr(event, "stream_id", 0) == stream_id]
    assert kinds == [ResponseReceived, DataReceived, TrailersReceived, StreamEnded]
    assert wire.requests() == [b"question"]
    assert wire.body(stream_id) == envelope(b"answer")


@pytest.mark.parametrize("table_bytes", [0, 100, 4096, 65_536])
def test_a_client_may_choose_the_size_of_its_header_table(table_bytes: int) -> None:
    wire = Wire({SettingCodes.HEADER_TABLE_SIZE: table_bytes})

    for stream_id in (wire.call(b"one"), wire.call(b"two")):
        wire.server.respond(stream_id, envelope(b"answer"))
    wire.carry()

    assert sum(isinstance(event, StreamEnded) for event in wire.heard) == 2


def test_a_client_may_change_its_mind_about_its_header_table() -> None:
    wire = Wire()
    answered = 0

    for table_bytes in (4096, 0, 8192, 10):
        wire.client.update_settings({SettingCodes.HEADER_TABLE_SIZE: table_bytes})
        wire.carry()
        wire.server.finish(wire.call(b"question"), Code.NOT_FOUND, "nothing")
        wire.carry()
        answered += 1

    assert sum(isinstance(event, StreamEnded) for event in wire.heard) == answered


@given(st.binary(max_size=300_000), st.binary(max_size=300_000), st.sampled_from([1, 1000, 65_535, 1_000_000]))
def test_messages_of_any_size_pass_through_any_window(question: bytes, answer: bytes, window: int) -> None:
    wire = Wire({SettingCodes.INITIAL_WINDOW_SIZE: window})
    answer = answer[: window * 1000]

    stream_id = wire.call(question)
    wire.server.respond(stream_id, envelope(answer))
    wire.carry()

    assert wire.requests() == [question]
    assert wire.body(stream_id) == envelope(answer)
    assert wire.server.open_streams == 0


def test_a_window_that_is_opened_by_a_setting_is_used_only_once_that_is_agreed() -> None:
    wire = Wire({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    stream_id = wire.call(b"question")
    wire.server.respond(stream_id, envelope(b"x" * 100_000))
    wire.carry()
    assert wire.body(stream_id) == b""

    wire.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1_000_000})
    wire.carry()

    assert wire.body(stream_id) == envelope(b"x" * 100_000)


def test_a_call_that_the_client_gives_up_is_over_at_both_ends() -> None:
    wire = Wire()
    stream_id = wire.call(b"question", end=False)

    wire.client.reset_stream(stream_id, ErrorCodes.CANCEL)
    wire.carry()

    assert isinstance(wire.asked[-1], Cancelled)
    assert wire.client.open_outbound_streams == wire.server.open_streams == 0


def test_a_call_that_ends_early_is_over_at_both_ends() -> None:
    wire = Wire()
    stream_id = wire.call(b"question", end=False)

    wire.server.finish(stream_id, Code.UNAUTHENTICATED, "who is there?")
    wire.carry()

    resets = [event.error_code for event in wire.heard if isinstance(event, StreamReset)]
    assert resets == [ErrorCodes.NO_ERROR]
    assert wire.client.open_outbound_streams == wire.server.open_streams == 0


@pytest.mark.parametrize("asks", ["client", "server"])
def test_pings_are_answered_both_ways(asks: str) -> None:
    wire = Wire()

    if asks == "client":
        wire.client.ping(b"12345678")
    else:
        wire.server.ping()
    wire.carry()

    assert any(isinstance(event, PingAckReceived) for event in wire.heard) == (asks == "client")
    assert not wire.server.ping_pending


def test_last_words_are_understood() -> None:
    wire = Wire()
    stream_id = wire.call(b"question")

    wire.server.close(ErrorCode.INTERNAL_ERROR, "the disk is on fire")
    wire.carry()

    (event,) = [event for event in wire.heard if isinstance(event, ConnectionTerminated)]
    assert event.error_code == ErrorCodes.INTERNAL_ERROR
    assert event.last_stream_id == stream_id
    assert event.additional_data == b"the disk is on fire"
