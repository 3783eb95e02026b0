"""A client that says exactly what it is told, so that a test reads as a conversation.

    peer = Peer()
    peer.send(request(1), message(1, b"question", end=True))     frames, or bytes that no frame could make
    peer.connection.respond(1, envelope(b"answer"))
    peer.answer(1).contents == [b"answer"]

All that the server says goes through `Hearing`, and all its events through the rules of `server_events`; whichever is
broken fails the test, whatever the test is about.
"""

from collections.abc import Mapping, Sequence

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import error_name
from cosi.rpc.http2.grpc_request import envelope
from cosi.rpc.http2.hpack import Header, encode_block
from cosi.rpc.http2.server_connection import ServerConnection
from cosi.rpc.http2.server_events import Began, Cancelled, RequestEnded, RequestMessage, ServerEvent, Writable
from tests.cosi.rpc.http2.server.hearing import Answer, Hearing

PATH = "/service/Method"
GRPC: tuple[Header, ...] = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", PATH.encode()),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)
GET: tuple[Header, ...] = ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"localhost"))
POST: tuple[Header, ...] = ((b":method", b"POST"), *GET[1:])

GOES_ON = "goes on"


def changed(fields: Sequence[Header], changes: dict[str, str | None]) -> tuple[Header, ...]:
    """Return headers with some of them replaced, left out (None), or added at the end."""
    kept = [(name, value) for name, value in fields if name.decode() not in changes]
    added = [(name.encode(), value.encode()) for name, value in changes.items() if value is not None]
    return (*(header for header in [*kept, *added] if header[0].startswith(b":")), *_regular(kept), *_regular(added))


def _regular(fields: Sequence[Header]) -> list[Header]:
    return [header for header in fields if not header[0].startswith(b":")]


def request(stream_id: int, fields: Sequence[Header] = GRPC, *, end: bool = False) -> frames.Headers:
    """The HEADERS frame of a request."""
    return frames.Headers(stream_id, encode_block(fields), end_stream=end)


def block(stream_id: int, fragment: bytes, *, end: bool = False) -> bytes:
    """A header block of any size, in as many frames as it takes."""
    size = frames.DEFAULT_MAX_FRAME_BYTES
    pieces = [fragment[start : start + size] for start in range(0, len(fragment), size)] or [b""]
    last = len(pieces) - 1
    first = frames.Headers(stream_id, pieces[0], end_stream=end, end_headers=not last)
    return first.serialize() + b"".join(
        frames.Continuation(stream_id, piece, end_headers=number == last).serialize()
        for number, piece in enumerate(pieces[1:], start=1)
    )


def message(stream_id: int, content: bytes = b"", *, end: bool = False, padding: int | None = None) -> frames.Data:
    """One request message in one DATA frame."""
    return frames.Data(stream_id, envelope(content), end_stream=end, padding=padding)


def raw(frame_type: int, payload: bytes, *, stream_id: int = 0, flags: int = 0) -> bytes:
    """A frame that need not obey the rules for frames."""
    return frames.Extension(stream_id, frame_type=frame_type, flags=flags, payload=payload).serialize()


def serialized(spoken: Sequence[frames.Frame | bytes]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else piece.serialize() for piece in spoken)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Peer:
    """One connection, seen from its client, which greets with its settings unless it is to say even that itself."""

    def __init__(self, settings: Mapping[int, int] | None = None, *, greets: bool = True) -> None:
        self.clock = Clock()
        self.connection = ServerConnection(clock=self.clock)
        self.events: list[ServerEvent] = []
        self.calls: dict[int, Call] = {}
        self.hearing = Hearing()
        self._heard: list[frames.Frame] = []
        if greets:
            self.connection.receive(frames.PREFACE)
            self.send(frames.Settings(settings))
            self.greeting = self.heard()

    def send(self, *spoken: frames.Frame | bytes) -> list[ServerEvent]:
        """Say this, all in one piece, and return what the server's user learns from it."""
        self._listen()
        data = serialized(spoken)
        self.hearing.note_said(data)
        events = self.connection.receive(data)
        for event in events:
            self._check(event)
        self.events += events
        self._listen()
        return events

    def heard(self) -> list[frames.Frame]:
        """All that the server said since this was last asked."""
        self._listen()
        heard, self._heard = self._heard, []
        return heard

    def answer(self, stream_id: int) -> Answer:
        """What the server has said on a stream so far."""
        self._listen()
        return self.hearing.answers.get(stream_id) or Answer()

    def contents(self, stream_id: int) -> list[bytes]:
        """The request messages that the server's user has got."""
        return self.calls[stream_id].contents

    def goodbye(self) -> frames.GoAway:
        """The server's last words."""
        assert self.connection.closed
        last = self.heard()[-1]
        assert isinstance(last, frames.GoAway)
        return last

    def verdict(self) -> str:
        """What the server made of all this: how the connection or streams broke, else which streams were answered."""
        if self.connection.closed:
            last = self.goodbye()
            assert last.debug, "the last words explain nothing"
            return f"GOAWAY {error_name(last.code)}"
        self.send(frames.Ping(b"and now?"))
        assert self.heard()[-1] == frames.Ping(b"and now?", ack=True)
        answers = sorted(self.hearing.answers.items())
        resets = [f"RST_STREAM {stream_id} {error_name(answer.reset)}" for stream_id, answer in answers if answer.reset]
        answered = [
            f"answered {stream_id} {answer.headers[':status']}" for stream_id, answer in answers if answer.headers
        ]
        return ", ".join(resets or answered) or GOES_ON

    def _listen(self) -> None:
        self._heard += self.hearing.hear(self.connection.data_to_send())

    def _check(self, event: ServerEvent) -> None:
        if isinstance(event, Began):
            assert event.stream_id not in self.calls, f"{event} came twice"
            self.calls[event.stream_id] = Call()
            return
        call = self.calls[event.stream_id]
        assert not call.cancelled, f"{event} came behind Cancelled"
        if isinstance(event, Cancelled):
            call.cancelled = True
            assert event.reason
        elif not isinstance(event, Writable):
            assert not call.ended, f"{event} came behind the end of its request"
            call.ended = isinstance(event, RequestEnded) or event.last
            if isinstance(event, RequestMessage):
                call.contents.append(event.content)


class Call:
    """What the server's user has learnt about one call."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.ended = False
        self.cancelled = False
