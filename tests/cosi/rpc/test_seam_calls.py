"""Whatever the transport, a handler sees its call and its client what the handler says, until either has enough."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import grpc
import pytest
from grpc import StatusCode

from cosi.rpc import address
from cosi.rpc.address import Address
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Frames, Peer, Refusal, Waiter, frame
from cosi.rpc.serving import Transport, serving_services
from cosi.rpc.tls import Identity, ServerTls
from tests.cosi.rpc.certificates import Authority
from tests.cosi.rpc.sample_service import NAME, Letters, Sample, path

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 10.0
DEADLINE_SECONDS = 0.5
"""Some hundred times what a call takes to begin on an open connection."""


@pytest.fixture
def sample() -> Sample:
    return Sample()


@pytest.fixture(params=Transport)
async def channel(request: pytest.FixtureRequest, sample: Sample, tmp_path: Path) -> AsyncIterator[Any]:
    where = Address(path=str(tmp_path / "socket"))
    async with (
        serving_services([sample.service], [where], transport=request.param),
        grpc.aio.insecure_channel(where.target) as opened,
    ):
        with anyio.fail_after(PATIENCE_SECONDS):
            yield opened


async def give_up(call: Any) -> StatusCode:
    """Cancel a call, and wait until grpc's core has let go of it; later it would report to another test's loop."""
    call.cancel()
    return await call.code()  # type: ignore[no-any-return]


async def test_a_call_of_each_kind_is_answered(channel: Any) -> None:
    assert await channel.unary_unary(path("Echo"))(b"hello") == b"hello"
    assert await channel.unary_unary(path("Echo"))(b"") == b""
    assert await channel.stream_unary(path("Join"))(iter([b"a", b"", b"c"])) == b"a++c"
    assert await channel.stream_unary(path("Join"))(iter([])) == b""


async def test_frames_that_come_together_are_messages_of_their_own(channel: Any) -> None:
    assert [message async for message in channel.unary_stream(path("Split"))(b"abc")] == [b"a", b"b", b"c", b"", b"end"]


async def test_a_conversation_goes_to_and_fro(channel: Any) -> None:
    call = channel.stream_stream(path("Answer"))()
    for word in (b"one", b"two"):
        await call.write(word)
        assert await call.read() == b"re: " + word
    await call.done_writing()

    assert await call.read() is grpc.aio.EOF
    assert await call.code() is StatusCode.OK


async def test_a_handler_may_end_a_conversation_while_its_client_has_more_to_say(channel: Any) -> None:
    call = channel.stream_stream(path("Quit"))()
    await call.write(b"one")

    assert await call.read() == b"one"
    assert await call.code() is StatusCode.ABORTED


async def test_a_handler_sees_metadata_deadline_and_peer(channel: Any, sample: Sample) -> None:
    metadata = [("token-bin", b"\0\xff"), ("who", "b"), ("who", "a")]

    await channel.unary_unary(path("Echo"))(b"", metadata=metadata, timeout=100)
    await channel.unary_unary(path("Echo"))(b"")

    hurried, patient = sample.calls
    sent = [pair for pair in hurried.metadata if pair[0] in ("who", "token-bin")]
    assert sorted(sent, key=lambda pair: pair[0]) == metadata
    assert hurried.deadline is not None
    assert 0 < hurried.deadline - time.monotonic() < 110, "clients round a timeout up"
    assert patient.deadline is None
    assert patient.peer == Peer("", None)


@pytest.mark.parametrize("transport", Transport)
async def test_a_handler_sees_who_calls_and_where_from(sample: Sample, transport: Transport, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = ServerTls(Identity(*authority.issue("server")), authority.certificate)
    certificate, key = authority.issue("client")
    credentials = grpc.ssl_channel_credentials(authority.certificate, key, certificate)
    async with (
        serving_services([sample.service], [Address(host="127.0.0.1")], tls=server, transport=transport) as taken,
        grpc.aio.secure_channel(taken[0].target, credentials) as channel,
    ):
        echo: Any = channel.unary_unary(path("Echo"))
        await echo(b"")

    (call,) = sample.calls
    assert address.parse(call.peer.address).host == "127.0.0.1"
    assert call.peer.certificate == ssl.PEM_cert_to_DER_cert(certificate.decode())


async def test_a_refusal_arrives_with_its_code_its_message_and_its_trailers(channel: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary(path("Refuse"))(b"")

    assert (refused.value.code(), refused.value.details()) == (StatusCode.DATA_LOSS, "gone: é %")
    assert ("where", "nowhere") in tuple(refused.value.trailing_metadata())


async def test_a_refusal_after_some_answers_does_not_take_them_back(channel: Any) -> None:
    call = channel.unary_stream(path("Break"))(b"")

    assert await call.read() == b"one"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert (refused.value.code(), refused.value.details()) == (StatusCode.ABORTED, "enough")


async def test_a_failure_is_logged_and_not_shown(channel: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await channel.unary_unary(path("Fail"))(b"")

    assert failure.value.code() is StatusCode.INTERNAL
    assert "secret" not in (failure.value.details() or "")
    assert "a secret detail" in capsys.readouterr().out


@pytest.mark.parametrize("method", [path("Missing"), "/test.Missing/Echo", f"/{NAME}/Echo/"])
async def test_a_method_that_is_not_there_is_unimplemented(channel: Any, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary(method)(b"")

    assert refused.value.code() is StatusCode.UNIMPLEMENTED


async def test_what_a_feed_brings_stands_between_what_the_handler_says(channel: Any, sample: Sample) -> None:
    call = channel.unary_stream(path("Feed"))(b"")
    answers = aiter(call)
    read = [await anext(answers)]
    await sample.feed.waited_for.wait()
    for content in (frame(b"1") + frame(b"2"), b"", frame(b"3"), None):
        sample.feed.put(content)

    read += [message async for message in answers]

    assert read == [b"before", b"1", b"2", b"3", b"after"]


@pytest.mark.parametrize("method", ["Sleep", "Stall"])
@pytest.mark.parametrize("reason", ["deadline", "cancel"])
async def test_a_handler_ends_when_its_client_has_enough(
    channel: Any, sample: Sample, method: str, reason: str
) -> None:
    await channel.channel_ready()  # a deadline counts from the call, and the handler is to begin before it
    kind: Callable[[str], Any] = channel.unary_unary if method == "Sleep" else channel.unary_stream
    call = kind(path(method))(b"", timeout=DEADLINE_SECONDS if reason == "deadline" else None)
    await sample.began.wait()

    code = await (give_up(call) if reason == "cancel" else call.code())
    await sample.ended.wait()

    assert code is (StatusCode.CANCELLED if reason == "cancel" else StatusCode.DEADLINE_EXCEEDED)


async def test_a_feed_is_forgotten_and_its_handler_closed_when_the_client_has_enough(
    channel: Any, sample: Sample
) -> None:
    call = channel.unary_stream(path("Feed"))(b"")
    assert await call.read() == b"before"
    await sample.feed.waited_for.wait()

    await give_up(call)
    await sample.feed.forgotten.wait()
    await sample.ended.wait()


async def test_a_feed_that_is_always_ready_and_never_brings_anything_leaves_others_their_turn(
    channel: Any, sample: Sample
) -> None:
    class Busy(Letters):
        def when_ready(self, waiter: Waiter) -> None:
            super().when_ready(waiter)
            waiter.set_result(None)

    sample.feed = Busy()
    call = channel.unary_stream(path("Feed"))(b"")
    await sample.feed.waited_for.wait()

    assert await channel.unary_unary(path("Echo"))(b"hello") == b"hello"
    await give_up(call)
    await sample.ended.wait()


async def test_a_feed_that_fails_ends_its_call_as_a_handler_would(channel: Any, sample: Sample) -> None:
    class Failing(Letters):
        def take(self) -> Frames | None:
            raise Refusal(Code.ABORTED, "no more")

    sample.feed = Failing()
    call = channel.unary_stream(path("Feed"))(b"")

    assert await call.read() == b"before"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert refused.value.code() is StatusCode.ABORTED
    await sample.ended.wait()
