"""How a connection starts (RFC 9113, 3.4), and the settings both ends tell each other (6.5)."""

from collections.abc import Sequence

import pytest

from cosi.rpc.http2 import frames, limits
from cosi.rpc.http2.frame_writer import DEFAULT_WINDOW_BYTES
from cosi.rpc.http2.frames import PREFACE, SETTING
from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.server.peer import GET, GOES_ON, GRPC, Peer, message, raw, request


def test_the_server_says_its_settings_first() -> None:
    peer = Peer(greets=False)

    peer.send(PREFACE)
    settings, *rest = peer.heard()

    assert isinstance(settings, frames.Settings)
    assert not settings.ack
    assert settings.values[frames.MAX_CONCURRENT_STREAMS] == limits.MAX_CONCURRENT_STREAMS
    assert settings.values[frames.INITIAL_WINDOW_SIZE] == limits.STREAM_WINDOW_BYTES
    assert settings.values[frames.MAX_HEADER_LIST_SIZE] == limits.MAX_LIST_BYTES
    assert settings.values.get(frames.MAX_FRAME_SIZE, frames.DEFAULT_MAX_FRAME_BYTES) == limits.MAX_FRAME_BYTES
    assert rest == [frames.WindowUpdate(0, limits.CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)]


def test_nothing_is_said_before_the_settings() -> None:
    peer = Peer(greets=False)

    peer.connection.ping()
    peer.connection.respond(1, b"")
    peer.connection.finish(1, Code.OK)

    assert peer.heard() == []


def test_a_smaller_header_table_is_agreed_to_in_the_next_block() -> None:
    """RFC 7541, 4.2: who encodes has to say so, even if it never used the table."""
    peer = Peer({frames.HEADER_TABLE_SIZE: 0})
    peer.send(request(1, end=True))

    peer.connection.respond(1, b"")
    first = peer.heard()[0]

    assert isinstance(first, frames.Headers)
    assert first.block.startswith(b"\x20")


def test_a_client_that_greets_is_acknowledged() -> None:
    peer = Peer(greets=False)
    peer.send(PREFACE)
    peer.heard()

    peer.send(frames.Settings({frames.INITIAL_WINDOW_SIZE: 65_535}))

    assert peer.heard() == [frames.Settings(ack=True)]


def test_a_client_may_ask_before_it_has_heard_anything() -> None:
    peer = Peer(greets=False)

    peer.send(PREFACE, frames.Settings(), request(1), message(1, b"question", end=True))

    assert peer.contents(1) == [b"question"]


@pytest.mark.parametrize(
    "greeting",
    [
        pytest.param(b"INVALID CONNECTION PREFACE\r\n\r\n", id="nonsense"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), id="TLS"),
        pytest.param(PREFACE[:-1] + b"!" + frames.Settings().serialize(), id="one wrong byte"),
        pytest.param(PREFACE + frames.Ping(b"12345678").serialize(), id="a ping instead of settings"),
        pytest.param(PREFACE + frames.Settings(ack=True).serialize(), id="an acknowledgement instead of settings"),
        pytest.param(PREFACE + request(1, end=True).serialize(), id="a request instead of settings"),
    ],
)
def test_a_client_that_greets_badly_is_sent_away(greeting: bytes) -> None:
    peer = Peer(greets=False)

    peer.send(greeting)

    assert peer.verdict() == "GOAWAY PROTOCOL_ERROR"


def test_a_wrong_greeting_is_not_waited_for() -> None:
    peer = Peer(greets=False)

    peer.send(b"\x16\x03\x01")

    assert peer.verdict() == "GOAWAY PROTOCOL_ERROR"


@pytest.mark.parametrize("method", ["GET", "POST", "PRI"])
@pytest.mark.parametrize("cuts", [[], [1], [2, 4], [10], range(1, 16)], ids=str)
def test_a_client_of_http_1_is_told_so_in_its_own_language(cuts: Sequence[int], method: str) -> None:
    connection = ServerConnection()
    greeting = f"{method} / HTTP/1.1\r\n".encode()

    for start, end in zip([0, *cuts], [*cuts, len(greeting)], strict=True):
        if not connection.closed:
            connection.receive(greeting[start:end])

    assert connection.closed
    assert connection.data_to_send().startswith(b"HTTP/1.1 505 ")


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        pytest.param({frames.ENABLE_PUSH: 0}, GOES_ON, id="no push"),
        pytest.param({frames.ENABLE_PUSH: 1}, GOES_ON, id="push"),
        pytest.param({frames.ENABLE_PUSH: 2}, "GOAWAY PROTOCOL_ERROR", id="push 2"),
        pytest.param({frames.INITIAL_WINDOW_SIZE: 2**31 - 1}, GOES_ON, id="largest window"),
        pytest.param({frames.INITIAL_WINDOW_SIZE: 2**31}, "GOAWAY FLOW_CONTROL_ERROR", id="window too large"),
        pytest.param({frames.MAX_FRAME_SIZE: 2**14}, GOES_ON, id="smallest frame size"),
        pytest.param({frames.MAX_FRAME_SIZE: 2**14 - 1}, "GOAWAY PROTOCOL_ERROR", id="frame size too small"),
        pytest.param({frames.MAX_FRAME_SIZE: 2**24 - 1}, GOES_ON, id="largest frame size"),
        pytest.param({frames.MAX_FRAME_SIZE: 2**24}, "GOAWAY PROTOCOL_ERROR", id="frame size too large"),
        pytest.param({0xFF: 1}, GOES_ON, id="unknown"),
        pytest.param(
            {
                frames.HEADER_TABLE_SIZE: 4096,
                frames.ENABLE_PUSH: 1,
                frames.MAX_CONCURRENT_STREAMS: 100,
                frames.INITIAL_WINDOW_SIZE: 65_535,
                frames.MAX_FRAME_SIZE: 16_384,
                frames.MAX_HEADER_LIST_SIZE: 100,
            },
            GOES_ON,
            id="all at once",
        ),
    ],
)
def test_settings_are_held_to_their_ranges(settings: dict[int, int], verdict: str) -> None:
    peer = Peer()

    peer.send(frames.Settings(settings))

    assert peer.verdict() == verdict


@pytest.mark.parametrize(
    ("spoken", "verdict"),
    [
        pytest.param(raw(frames.SETTINGS, b"\0", flags=frames.ACK), "GOAWAY FRAME_SIZE_ERROR", id="ack with payload"),
        pytest.param(
            raw(frames.SETTINGS, SETTING.pack(3, 100), stream_id=1), "GOAWAY PROTOCOL_ERROR", id="settings of a stream"
        ),
        pytest.param(raw(frames.SETTINGS, b"\0\3\0"), "GOAWAY FRAME_SIZE_ERROR", id="three bytes"),
    ],
)
def test_settings_are_held_to_their_form(spoken: bytes, verdict: str) -> None:
    peer = Peer()

    peer.send(spoken)

    assert peer.verdict() == verdict


def test_every_settings_frame_is_acknowledged_at_once() -> None:
    peer = Peer()

    peer.send(frames.Settings({frames.ENABLE_PUSH: 0}), frames.Settings())

    assert peer.heard() == [frames.Settings(ack=True)] * 2


def test_of_a_setting_that_comes_twice_the_last_counts() -> None:
    peer = Peer()

    peer.send(raw(frames.SETTINGS, SETTING.pack(frames.INITIAL_WINDOW_SIZE, 100) + SETTING.pack(4, 1)))
    peer.send(request(1, GET, end=True))

    assert [len(frame.data) for frame in peer.heard() if isinstance(frame, frames.Data)] == [1]


def test_an_illegal_setting_is_seen_even_where_a_legal_one_follows() -> None:
    peer = Peer()

    peer.send(raw(frames.SETTINGS, SETTING.pack(frames.ENABLE_PUSH, 2) + SETTING.pack(frames.ENABLE_PUSH, 0)))

    assert peer.verdict() == "GOAWAY PROTOCOL_ERROR"


def test_a_greeting_may_come_byte_by_byte() -> None:
    peer = Peer(greets=False)
    greeting = PREFACE + frames.Settings({frames.MAX_FRAME_SIZE: 20_000}).serialize() + request(1, GRPC).serialize()
    peer.hearing.note_said(greeting)

    events = [event for byte in greeting for event in peer.connection.receive(bytes((byte,)))]

    assert [event.stream_id for event in events] == [1]
