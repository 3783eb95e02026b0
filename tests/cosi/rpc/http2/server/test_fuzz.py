"""No bytes do worse than GOAWAY: `receive` never raises, it answers in HTTP/2, and how bytes are cut means nothing."""

from hypothesis import example, given
from hypothesis import strategies as st

from cosi.rpc.http2 import frames
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import encode_block
from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.http2.server_events import Began, Cancelled, RequestEnded, RequestMessage, ServerEvent
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.http2.frame_samples import any_frame
from tests.cosi.rpc.http2.server.hearing import Hearing
from tests.cosi.rpc.http2.server.peer import GET, GRPC, POST, Clock, Peer, changed, serialized

GREETING = frames.PREFACE + frames.Settings().serialize()
STREAM_IDS = st.sampled_from([1, 3, 5])
BLOCKS = st.sampled_from(
    [
        encode_block(GRPC),
        encode_block(GET),
        encode_block(POST),
        encode_block([(b"x-test", b"ok")]),
        encode_block(changed(GRPC, {"content-length": "12"})),
        encode_block(changed(GRPC, {"grpc-timeout": "soon"})),
        encode_block(GRPC) + b"\x40\x06cosi-a\x03one",
        encode_block(GRPC) + b"\xbe",
        b"\x20" + encode_block(GRPC),
    ]
)
BODIES = st.lists(st.binary(max_size=9).map(envelope), max_size=3).map(b"".join)

SENSIBLE: st.SearchStrategy[frames.Frame] = st.one_of(
    st.builds(frames.Headers, STREAM_IDS, BLOCKS, end_stream=st.booleans()),
    st.builds(frames.Data, STREAM_IDS, BODIES, end_stream=st.booleans(), padding=st.none() | st.integers(0, 9)),
    st.builds(frames.Data, STREAM_IDS, st.binary(max_size=9)),
    st.builds(frames.WindowUpdate, st.sampled_from([0, 1, 3, 5]), st.integers(1, 100)),
    st.builds(frames.Settings, st.fixed_dictionaries({frames.INITIAL_WINDOW_SIZE: st.integers(0, 100)})),
    st.builds(frames.RstStream, STREAM_IDS, st.integers(0, 15)),
)
CONVERSATIONS = st.lists(SENSIBLE | SENSIBLE | SENSIBLE | any_frame(STREAM_IDS), max_size=25)
ANSWERS = st.sampled_from(["respond", "send", "finish", "taken", "ping", "shut_down", "nothing"])


def told(event: ServerEvent) -> tuple[object, ...]:
    """An event as something that can be compared."""
    match event:
        case Began(stream_id=stream_id, head=head):
            return ("Began", stream_id, head.path, head.authority, head.metadata, head.timeout_seconds)
        case RequestMessage(stream_id=stream_id, content=content, last=last):
            return ("RequestMessage", stream_id, content, last)
        case Cancelled(stream_id=stream_id, reason=reason):
            return ("Cancelled", stream_id, reason)
        case _:
            return (type(event).__name__, event.stream_id)


def listened_to(data: bytes, cuts: list[int]) -> tuple[list[tuple[object, ...]], bytes, bool]:
    """What a connection makes of bytes that come in these pieces. Its user answers every request when it has ended."""
    connection = ServerConnection(clock=Clock())
    events: list[ServerEvent] = []
    said = b""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        if not connection.closed:
            events += connection.receive(data[start:end])
            said += connection.data_to_send()
    return [told(event) for event in events], said, connection.closed


def mutated(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    spoilt = bytearray(data)
    for position, byte in changes:
        if spoilt:
            spoilt[position % len(spoilt)] = byte
    return bytes(spoilt)


@given(st.lists(st.binary(max_size=200), max_size=5), st.booleans())
@example([b"GET / HTTP/1.1\r\n\r\n"], False)
@example([frames.PREFACE[:5], frames.PREFACE[5:]], False)
def test_no_bytes_do_worse_than_a_goodbye(pieces: list[bytes], greeted: bool) -> None:
    connection = ServerConnection(clock=Clock())
    if greeted:
        connection.receive(GREETING)

    for piece in pieces:
        if not connection.closed:
            connection.receive(piece)

    connection.data_to_send()


@given(CONVERSATIONS, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=5))
def test_no_spoilt_conversation_does_worse_than_a_goodbye(
    spoken: list[frames.Frame], changes: list[tuple[int, int]]
) -> None:
    connection = ServerConnection(clock=Clock())
    connection.receive(GREETING)
    hearing = Hearing()
    hearing.note_said(GREETING)
    data = mutated(serialized(spoken), changes)
    hearing.note_said(data)

    connection.receive(data)

    hearing.hear(connection.data_to_send())


@given(CONVERSATIONS, st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=2), st.data())
def test_how_the_bytes_are_cut_means_nothing(
    spoken: list[frames.Frame], changes: list[tuple[int, int]], draw: st.DataObject
) -> None:
    data = GREETING + mutated(serialized(spoken), changes)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=12)))

    assert listened_to(data, cuts) == listened_to(data, [])


@given(st.lists(SENSIBLE, max_size=8))
def test_a_conversation_may_come_byte_by_byte(spoken: list[frames.Frame]) -> None:
    data = GREETING + serialized(spoken)

    assert listened_to(data, list(range(1, len(data)))) == listened_to(data, [])


@given(st.lists(st.tuples(SENSIBLE | any_frame(STREAM_IDS), ANSWERS, STREAM_IDS, st.binary(max_size=200)), max_size=25))
def test_whatever_both_sides_do_the_rules_hold(
    turns: list[tuple[frames.Frame, str, int, bytes]],
) -> None:
    peer = Peer()

    for spoken, answer, stream_id, content in turns:
        if peer.connection.closed:
            break
        peer.send(spoken)
        act(peer.connection, answer, stream_id, content)
        peer.heard()

    over = {stream_id for stream_id, call in peer.calls.items() if call.cancelled or peer.answer(stream_id).ended}
    assert peer.connection.open_streams >= len(peer.calls.keys() - over) or peer.connection.closed


def act(connection: ServerConnection, answer: str, stream_id: int, content: bytes) -> None:
    """Let the server's user do something, sensible or not."""
    match answer:
        case "respond":
            connection.respond(stream_id, envelope(content))
        case "send":
            connection.send(stream_id, envelope(content))
        case "finish":
            connection.finish(stream_id, Code.ABORTED, "enough")
        case "taken":
            connection.taken(stream_id, content)
        case "ping":
            connection.ping()
        case "shut_down":
            connection.shut_down()


@given(CONVERSATIONS)
def test_every_call_that_began_ends_with_its_connection(spoken: list[frames.Frame]) -> None:
    peer = Peer()

    peer.send(*spoken)
    if not peer.connection.closed:
        peer.send(frames.Ping(b"short").serialize())

    unfinished = [stream_id for stream_id, call in peer.calls.items() if not call.cancelled]
    assert [stream_id for stream_id in unfinished if not peer.answer(stream_id).ended] == []
    assert peer.connection.open_streams == 0


@given(CONVERSATIONS)
def test_a_request_ends_at_most_once_and_says_so(spoken: list[frames.Frame]) -> None:
    peer = Peer()

    peer.send(*spoken)

    ends = [
        event.stream_id for event in peer.events if isinstance(event, RequestEnded) or getattr(event, "last", False)
    ]
    assert len(ends) == len(set(ends))
