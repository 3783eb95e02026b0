"""A call is answered as its handler says, and a request that makes no sense in words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import grpc
import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, frame
from cosi.state import errors
from tests.cosi.rpc.http2.server.peer import message
from tests.cosi.rpc.native.handlers import BOTH, CLIENT, ECHO, SERVER, UNARY, Stay, served
from tests.cosi.rpc.native.raw_client import connected

pytestmark = pytest.mark.anyio


async def join(requests: AsyncIterator[bytes], _: Call) -> Frames:
    return frame(b"+".join([content async for content in requests]))


async def repeat(requests: AsyncIterator[bytes], _: Call) -> AsyncGenerator[Frames, None]:
    async for content in requests:
        yield frame(content) + frame(content)


async def letters(content: bytes, _: Call) -> AsyncGenerator[Frames, None]:
    for byte in content:
        yield frame(bytes([byte]))


# --- each shape ---


async def test_one_answer_is_headers_its_message_and_trailers(tmp_path: Path) -> None:
    async with served(tmp_path) as where, connected(where) as client:
        await client.settle()
        heard = len(client.heard)
        answer = await client.ask(ECHO, b"hello")

    assert [type(each) for each in client.heard[heard:]] == [frames.Headers, frames.Data, frames.Headers]
    assert answer.headers == {":status": "200", "content-type": "application/grpc"}
    assert (answer.contents, answer.trailers) == ([b"hello"], {"grpc-status": "0"})


async def test_a_stream_may_have_no_answers_or_many(tmp_path: Path) -> None:
    async with served(tmp_path, server=letters) as where, connected(where) as client:
        none, some = [await client.ask(SERVER, content) for content in (b"", b"abc")]

    assert (none.contents, none.code) == ([], Code.OK)
    assert (some.contents, some.code) == ([b"a", b"b", b"c"], Code.OK)


@pytest.mark.parametrize("contents", [[], [b""], [b"a", b"", b"c"]])
@pytest.mark.parametrize("ends", ["with its last message", "apart"])
async def test_a_stream_of_requests_is_taken_in_order_up_to_its_end(
    tmp_path: Path, contents: list[bytes], ends: str
) -> None:
    async with served(tmp_path, client=join, both=repeat) as where, connected(where) as client:
        for method, expected in ((CLIENT, [b"+".join(contents)]), (BOTH, [each for each in contents for _ in "12"])):
            call = await client.call(method, *contents, end=ends != "apart")
            if ends == "apart":
                await client.say(frames.Data(call, b"", end_stream=True))
            answer = await client.answer(call)
            assert (answer.contents, answer.code) == (expected, Code.OK)


async def test_a_conversation_goes_to_and_fro_and_each_side_may_end_it(tmp_path: Path) -> None:
    async def both(requests: AsyncIterator[bytes], _: Call) -> AsyncGenerator[Frames, None]:
        yield frame(b"first")
        async for content in requests:
            if content == b"bye":
                return
            yield frame(b"re: " + content)

    async with served(tmp_path, both=both) as where, connected(where) as client:
        call = await client.call(BOTH, end=False)
        for number, word in enumerate((b"one", b"two"), start=2):
            await client.begun(call, number - 1)
            await client.say(message(call, word))
        await client.begun(call, 3)
        await client.say(message(call, b"bye"))
        answer = await client.answer(call)
        await client.settle()

    assert answer.contents == [b"first", b"re: one", b"re: two"]
    assert (answer.code, answer.reset) == (Code.OK, ErrorCode.NO_ERROR)


async def test_calls_do_not_wait_for_each_other(tmp_path: Path) -> None:
    stay = Stay()

    async def unary(content: bytes, _: Call) -> Frames:
        await stay.here()
        return frame(content)

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        slow = await client.call(UNARY, b"slow")
        assert (await client.ask(ECHO, b"quick")).contents == [b"quick"]
        stay.leave.set()
        assert (await client.answer(slow)).contents == [b"slow"]


# --- what goes with a call ---


async def test_a_handler_sees_metadata_as_it_was_sent(tmp_path: Path) -> None:
    calls = []

    async def unary(content: bytes, call: Call) -> Frames:
        calls.append(call)
        return frame(content)

    sent = [("who", "b"), ("token-bin", b"\0\xff\x10"), ("who", "a"), ("empty-bin", b""), ("spaced", "a b")]
    async with served(tmp_path, unary=unary) as where, grpc.aio.insecure_channel(where.target) as channel:
        await channel.unary_unary(UNARY)(b"", metadata=sent)  # type: ignore[arg-type]

    (call,) = calls
    received = [pair for pair in call.metadata if pair[0] in dict(sent)]
    assert sorted(received, key=lambda pair: pair[0]) == sorted(sent, key=lambda pair: pair[0])
    assert not {":path", "te", "content-type", "grpc-timeout"} & {key for key, _ in call.metadata}


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("method", [UNARY, SERVER, CLIENT, BOTH])
async def test_what_a_handler_raises_arrives_with_code_message_and_trailers(
    tmp_path: Path, method: str, when: str
) -> None:
    async def fail(_: object, _call: Call) -> Frames:
        if when == "later":
            await anyio.lowlevel.checkpoint()
        raise Refusal(Code.DATA_LOSS, "gone: é %\n", (("where", "nowhere"),))

    async def fail_between(request: object, call: Call) -> AsyncGenerator[Frames, None]:
        yield frame(b"one")
        yield await fail(request, call)

    async with (
        served(tmp_path, unary=fail, server=fail_between, client=fail, both=fail_between) as where,
        connected(where) as client,
    ):
        answer = await client.ask(method)

    assert (answer.code, answer.message) == (Code.DATA_LOSS, "gone: é %\n")
    assert (answer.trailers or answer.headers)["where"] == "nowhere"
    assert answer.contents == ([b"one"] if method in (SERVER, BOTH) else [])


async def test_an_error_of_a_state_has_its_code_and_its_name(tmp_path: Path) -> None:
    async def unary(_: bytes, _call: Call) -> Frames:
        raise errors.Unsupported("not like that")

    async with served(tmp_path, unary=unary) as where, connected(where) as client:
        answer = await client.ask(UNARY)

    assert (answer.code, answer.message) == (Code.UNIMPLEMENTED, "not like that")
    assert answer.headers["cosi-error"] == "Unsupported"


@pytest.mark.parametrize("when", ["at once", "later"])
@pytest.mark.parametrize("method", [UNARY, SERVER])
async def test_trailers_that_can_not_be_carried_are_left_out_and_logged(
    tmp_path: Path, method: str, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def unary(_: bytes, _call: Call) -> Frames:
        if when == "later":
            await anyio.lowlevel.checkpoint()
        raise Refusal(Code.DATA_LOSS, "gone", (("wo", "nirgendwo, ähnlich"),))

    async def server(request: bytes, call: Call) -> AsyncGenerator[Frames, None]:
        yield await unary(request, call)

    async with served(tmp_path, unary=unary, server=server) as where, connected(where) as client:
        answer = await client.ask(method)
        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]

    assert (answer.code, answer.message) == (Code.DATA_LOSS, "gone")
    assert "ähnlich" in capsys.readouterr().out


# --- requests that are none ---


@pytest.mark.parametrize("path", ["/test.Handlers/Missing", "/test.Missing/Echo", "/", "/test.Handlers/Echo/"])
async def test_a_method_that_is_not_there_is_unimplemented(tmp_path: Path, path: str) -> None:
    async with served(tmp_path) as where, connected(where) as client:
        answer = await client.ask(path)

    assert (answer.code, answer.message) == (Code.UNIMPLEMENTED, f"no method {path}")


@pytest.mark.parametrize("contents", [[], [b"one", b"two"], [b"one", b"two", b"three"]])
@pytest.mark.parametrize("method", [ECHO, SERVER])
async def test_a_method_for_one_message_takes_neither_none_nor_several(
    tmp_path: Path, method: str, contents: list[bytes]
) -> None:
    async with served(tmp_path, server=letters) as where, connected(where) as client:
        answer = await client.answer(await client.call(method, *contents))
        assert (await client.ask(ECHO, b"hello")).contents == [b"hello"]

    assert (answer.code, answer.contents) == (Code.UNIMPLEMENTED, [])
    assert answer.message == f"the method takes one message, and {'several' if contents else 'none'} came"
