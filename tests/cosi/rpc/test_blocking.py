"""The blocking client against a real gRPC server, and against sockets that are none."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from cosi.rpc.blocking import Channel
from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.hpack import encode_block
from cosi.rpc.http2.status import Code, RpcError
from tests.cosi.rpc.grpcio_server import GrpcioServer

PATIENCE_SECONDS = 10.0  # for what must happen, however slow the machine
SHORT_SECONDS = 0.05  # for what must not

FORBIDDEN_IMPORTS = [
    "anyio",
    "asyncio",
    "dataclasses",
    "google.protobuf",
    "grpc",
    "inspect",
    "ipaddress",
    "logging",
    "msgspec",
    "pydantic",
    "ssl",
    "structlog",
    "urllib.parse",
]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[GrpcioServer, str, str]]:
    server = GrpcioServer()
    unix, tcp = server.listen_on_unix(tmp_path / "node.sock"), server.listen_on_tcp()
    with server:
        yield server, unix, tcp


@pytest.fixture
def server(served: tuple[GrpcioServer, str, str]) -> GrpcioServer:
    return served[0]


@pytest.fixture(params=["unix", "tcp"])
def channel(served: tuple[GrpcioServer, str, str], request: pytest.FixtureRequest) -> Iterator[Channel]:
    _, unix, tcp = served
    with Channel.connect(unix if request.param == "unix" else tcp) as channel:
        yield channel


class RawServer:
    """Accepts one connection and answers it with given bytes."""

    def __init__(self, path: Path, answer: bytes = b"") -> None:
        self.target = str(path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.target)
        self._listener.listen()
        self._answer = answer

    def connect(self) -> tuple[Channel, socket.socket]:
        channel = Channel.connect(self.target)
        accepted, _ = self._listener.accept()
        self._listener.close()
        accepted.sendall(self._answer)
        return channel, accepted


def echo(request: bytes, _context: grpc.ServicerContext) -> bytes:
    return request


def count(request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
    return (b"%d" % number for number in range(int(request)))


def test_a_call_has_one_answer(server: GrpcioServer, channel: Channel) -> None:
    method = server.unary(echo)

    assert channel.unary(method, b"hello") == b"hello"
    assert channel.unary(method, b"") == b""


def test_an_error_comes_with_its_code_and_its_message_in_any_language(server: GrpcioServer, channel: Channel) -> None:
    def refuse(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "schöne 100% ☃\nnicht gefunden")
        return b""

    with pytest.raises(RpcError) as refused:
        channel.unary(server.unary(refuse), b"")

    assert refused.value.code is Code.NOT_FOUND
    assert refused.value.message == "schöne 100% ☃\nnicht gefunden"


def test_a_method_that_does_not_exist_is_unimplemented(channel: Channel) -> None:
    with pytest.raises(RpcError) as refused:
        channel.unary("/test/nothing", b"")

    assert refused.value.code is Code.UNIMPLEMENTED


def test_a_long_stream_arrives_whole_and_in_order(server: GrpcioServer, channel: Channel) -> None:
    received = list(channel.stream(server.stream(count), b"10000"))

    assert received == [b"%d" % number for number in range(10_000)]


def test_a_stream_that_fails_gives_its_messages_before_its_error(server: GrpcioServer, channel: Channel) -> None:
    def fail_later(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"one"
        yield b"two"
        context.abort(grpc.StatusCode.ABORTED, "enough")

    stream = channel.stream(server.stream(fail_later), b"")

    assert [next(stream), next(stream)] == [b"one", b"two"]
    with pytest.raises(RpcError, match="ABORTED: enough"):
        next(stream)
    assert list(stream) == []


def test_messages_larger_than_any_window_pass_both_ways(server: GrpcioServer, channel: Channel) -> None:
    message = bytes(range(256)) * (8 * 1024 * 4)

    assert channel.unary(server.unary(echo), message) == message


def test_one_connection_serves_many_calls_one_after_the_other(server: GrpcioServer, channel: Channel) -> None:
    numbers, same = server.stream(count), server.unary(echo)

    for round_number in range(50):
        assert len(list(channel.stream(numbers, b"3"))) == 3
        assert channel.unary(same, b"%d" % round_number) == b"%d" % round_number


def test_a_stream_that_is_not_read_does_not_stop_other_calls(server: GrpcioServer, channel: Channel) -> None:
    def flood(_request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        return (bytes(100_000) for _ in range(100))

    with channel.stream(server.stream(flood), b"") as flooding:
        first = next(flooding)
        for _ in range(20):
            assert channel.unary(server.unary(echo), b"still there?") == b"still there?"
        rest = list(flooding)

    assert len([first, *rest]) == 100
    assert {len(message) for message in rest} == {100_000}


def test_a_deadline_ends_a_call_on_both_sides(server: GrpcioServer, channel: Channel) -> None:
    ended = threading.Event()

    def never(_request: bytes, context: grpc.ServicerContext) -> bytes:
        context.add_callback(ended.set)
        ended.wait(PATIENCE_SECONDS)
        return b""

    with pytest.raises(RpcError) as refused:
        channel.unary(server.unary(never), b"", timeout_seconds=SHORT_SECONDS)

    assert refused.value.code is Code.DEADLINE_EXCEEDED
    assert refused.value.message == "/test/never did not end within 0.05 s"
    assert ended.wait(PATIENCE_SECONDS)
    assert channel.unary(server.unary(echo), b"alive") == b"alive"


def test_a_deadline_ends_a_stream_that_keeps_talking(server: GrpcioServer, channel: Channel) -> None:
    def forever(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        while context.is_active():
            yield b"more"

    def drain() -> None:
        for _ in channel.stream(server.stream(forever), b"", timeout_seconds=SHORT_SECONDS):
            pass

    with pytest.raises(RpcError, match="DEADLINE_EXCEEDED"):
        drain()


def test_the_server_knows_the_deadline(server: GrpcioServer, channel: Channel) -> None:
    def remaining(_request: bytes, context: grpc.ServicerContext) -> bytes:
        return b"%d" % round(context.time_remaining() or 0)

    assert channel.unary(server.unary(remaining), b"", timeout_seconds=100) == b"100"


def test_leaving_a_stream_cancels_it_on_the_server(server: GrpcioServer, channel: Channel) -> None:
    cancelled = threading.Event()

    def endless(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(cancelled.set)
        yield b"first"
        cancelled.wait(PATIENCE_SECONDS)

    with channel.stream(server.stream(endless), b"") as stream:
        assert next(stream) == b"first"
    stream.close()

    assert cancelled.wait(PATIENCE_SECONDS)
    assert list(stream) == []
    assert channel.unary(server.unary(echo), b"alive") == b"alive"


def test_an_interrupt_comes_through_and_ends_the_call(server: GrpcioServer, channel: Channel) -> None:
    waiting, cancelled = threading.Event(), threading.Event()
    main_thread = threading.get_ident()

    def interrupt(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(cancelled.set)
        yield b"first"
        waiting.wait(PATIENCE_SECONDS)
        signal.pthread_kill(main_thread, signal.SIGINT)
        cancelled.wait(PATIENCE_SECONDS)

    def read_on(stream: Iterator[bytes]) -> None:
        waiting.set()
        next(stream)

    with channel.stream(server.stream(interrupt), b"") as stream:
        assert next(stream) == b"first"
        with pytest.raises(KeyboardInterrupt):
            read_on(stream)

    assert cancelled.wait(PATIENCE_SECONDS)


def test_a_channel_interrupted_while_bytes_move_says_so(tmp_path: Path) -> None:
    class Interrupted(socket.socket):
        def send(self, *_arguments: object) -> int:
            raise KeyboardInterrupt

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        connected = Interrupted(socket.AF_UNIX)
        connected.connect(str(tmp_path / "s"))

        with Channel(connected, target="here") as channel:
            with pytest.raises(KeyboardInterrupt):
                channel.unary("/test/echo", b"")
            with pytest.raises(RpcError, match="UNAVAILABLE: the connection to here was interrupted"):
                channel.unary("/test/echo", b"")


def test_metadata_reaches_the_server_however_large(server: GrpcioServer, channel: Channel) -> None:
    def describe(_request: bytes, context: grpc.ServicerContext) -> bytes:
        received = dict(context.invocation_metadata() or ())
        return b"%d %d %s" % (len(received["large"]), len(received["data-bin"]), str(received["user-agent"]).encode())

    answer = channel.unary(server.unary(describe), b"", metadata=[("large", "x" * 50_000), ("data-bin", bytes(10_000))])

    assert answer == b"50000 10000 cosi-python"


def test_large_metadata_of_the_server_is_taken_and_too_large_refused(server: GrpcioServer, channel: Channel) -> None:
    def adorn(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("large", "x" * int(request)),))
        return b"answer"

    method = server.unary(adorn)

    assert channel.unary(method, b"50000") == b"answer"
    with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED"):
        channel.unary(method, b"70000")
    assert channel.unary(method, b"10") == b"answer"


def test_a_server_that_stops_ends_a_stream_as_unavailable(server: GrpcioServer, channel: Channel) -> None:
    def endless(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        over = threading.Event()
        context.add_callback(over.set)
        yield b"first"
        over.wait(PATIENCE_SECONDS)

    stream = channel.stream(server.stream(endless), b"")
    assert next(stream) == b"first"

    server.stop()

    with pytest.raises(RpcError) as refused:
        next(stream)
    assert refused.value.code in {Code.UNAVAILABLE, Code.CANCELLED}
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        channel.unary(server.unary(echo), b"")


def test_a_server_that_goes_away_gracefully_finishes_its_streams(server: GrpcioServer, channel: Channel) -> None:
    stopping = threading.Event()

    def last(_request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield b"first"
        stopping.wait(PATIENCE_SECONDS)
        yield b"last"

    stream = channel.stream(server.stream(last), b"")
    assert next(stream) == b"first"
    stopped = threading.Thread(target=server.stop, args=(PATIENCE_SECONDS,))
    stopped.start()
    stopping.set()

    assert list(stream) == [b"last"]
    stopped.join()
    with pytest.raises(RpcError, match="UNAVAILABLE"):
        channel.unary(server.unary(echo), b"")


def test_a_server_that_announces_its_end_takes_no_more_calls(tmp_path: Path) -> None:
    goodbye = frames.GoAway(0, ErrorCode.NO_ERROR, b"upgrade")
    channel, accepted = RawServer(tmp_path / "s", frames.Settings().serialize() + goodbye.serialize()).connect()

    with channel, closing(accepted):
        reason = "UNAVAILABLE: the server is closing the connection, saying NO_ERROR .upgrade.; try again on a new one"
        for _ in range(2):
            with pytest.raises(RpcError, match=reason):
                channel.unary("/test/echo", b"")


def test_a_server_that_hangs_up_is_named(tmp_path: Path) -> None:
    channel, accepted = RawServer(tmp_path / "s").connect()
    accepted.close()

    with channel:
        for _ in range(2):
            with pytest.raises(RpcError, match=f"UNAVAILABLE: the (server|connection).* {tmp_path}/s (closed|broke)"):
                channel.unary("/test/echo", b"")


def test_an_answer_in_one_breath_with_nonsense_ends_its_call(tmp_path: Path) -> None:
    status = [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", b"0")]
    answer = frames.Headers(1, encode_block(status), end_stream=True)
    channel, accepted = RawServer(tmp_path / "raw.sock").connect()

    with channel, accepted:
        answers = channel.stream("/test/anything", b"")
        accepted.sendall(frames.Settings().serialize() + answer.serialize() + frames.Ping(b"short").serialize())
        with pytest.raises(RpcError, match="cannot be understood: a PING frame") as broken:
            next(answers)

    assert broken.value.code is Code.UNAVAILABLE


def test_a_silent_server_meets_the_deadline(tmp_path: Path) -> None:
    channel, accepted = RawServer(tmp_path / "s").connect()

    with channel, closing(accepted), pytest.raises(RpcError, match="DEADLINE_EXCEEDED"):
        channel.unary("/test/echo", bytes(1_000_000), timeout_seconds=SHORT_SECONDS)


def test_a_server_that_stops_reading_meets_the_deadline(tmp_path: Path) -> None:
    room = frames.Settings({frames.INITIAL_WINDOW_SIZE: frames.MAX_WINDOW_BYTES}), frames.WindowUpdate(0, 1 << 30)
    channel, accepted = RawServer(tmp_path / "s", b"".join(frame.serialize() for frame in room)).connect()

    with channel, closing(accepted), pytest.raises(RpcError, match="DEADLINE_EXCEEDED"):
        channel.unary("/test/echo", bytes(10_000_000), timeout_seconds=SHORT_SECONDS)


def test_a_server_that_cancels_at_the_deadline_means_the_deadline(tmp_path: Path) -> None:
    resets = frames.Settings(), frames.RstStream(1, ErrorCode.CANCEL), frames.RstStream(3, ErrorCode.CANCEL)
    channel, accepted = RawServer(tmp_path / "s", b"".join(frame.serialize() for frame in resets)).connect()

    with channel, closing(accepted):
        late = channel.stream("/test/echo", b"", timeout_seconds=0)
        with pytest.raises(RpcError, match="CANCELLED: the server reset the call: CANCEL"):
            channel.unary("/test/echo", b"")
        with pytest.raises(RpcError, match="DEADLINE_EXCEEDED"):
            next(late)


def test_a_server_that_is_not_grpc_is_told_from_one_that_is(tmp_path: Path) -> None:
    channel, accepted = RawServer(tmp_path / "s", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").connect()

    with channel, closing(accepted), pytest.raises(RpcError) as refused:
        channel.unary("/test/echo", b"")

    assert refused.value.code is Code.UNAVAILABLE
    assert refused.value.message.startswith(f"the server at {tmp_path}/s cannot be understood: it speaks HTTP/1")


def test_a_closed_channel_says_so(server: GrpcioServer, channel: Channel) -> None:
    stream = channel.stream(server.stream(count), b"100000")
    channel.close()
    channel.close()

    with pytest.raises(RpcError, match="UNAVAILABLE: the channel was closed"):
        list(stream)
    with pytest.raises(RpcError, match="UNAVAILABLE: the channel was closed"):
        channel.unary(server.unary(echo), b"")


def test_an_answer_must_be_one(server: GrpcioServer, channel: Channel) -> None:
    method = server.stream(count)

    with pytest.raises(RpcError, match="INTERNAL: /test/count ended well but without an answer"):
        channel.unary(method, b"0")
    with pytest.raises(RpcError, match="INTERNAL: /test/count gave more than one answer"):
        channel.unary(method, b"2")
    assert channel.unary(method, b"1") == b"0"


def test_importing_the_client_imports_nothing_heavy() -> None:
    program = (
        "import sys; before = set(sys.modules); import cosi.rpc.blocking; print(*set(sys.modules) - before, sep='\\n')"
    )

    imported = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.split()

    assert [name for name in imported if name in FORBIDDEN_IMPORTS] == []
