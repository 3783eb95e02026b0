"""What is said in one turn of the loop goes out in one write, and nothing is made for a server that does not read."""

from __future__ import annotations

import gc
import weakref

import anyio
import pytest

from cosi.rpc.http2 import frames
from cosi.rpc.http2.events import Ended, Message
from cosi.rpc.http2.frame_writer import MAX_UNSENT_REPLY_BYTES
from cosi.rpc.http2.grpc_request import Metadata
from cosi.rpc.http2.status import Code
from tests.cosi.rpc.remote.asking import ask
from tests.cosi.rpc.remote.conversation import conversing
from tests.cosi.rpc.remote.raw_server import message, opening, trailers

pytestmark = pytest.mark.anyio

CALLS = 16


class Call:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.path = "/service/Method"
        self.request = b"question"
        self.metadata: Metadata = ()
        self.timeout_seconds: float | None = None
        self.stream_id = 0
        self.told: list[Message | Ended] = []
        self.answered = anyio.Event()

    def tell(self, event: Message | Ended) -> None:
        self.told.append(event)
        self.answered.set()

    def cut_off(self) -> None:
        pass


async def test_calls_that_begin_in_one_turn_go_out_in_one_write(anyio_backend_name: str) -> None:
    conversation = await conversing(anyio_backend_name)
    for _ in range(CALLS):
        conversation.connection.begin(Call())

    (requests,) = await conversation.writes()

    assert [frame.stream_id for frame in requests if isinstance(frame, frames.Headers)] == [*range(1, 2 * CALLS, 2)]


async def test_what_those_say_who_are_woken_by_a_read_goes_out_with_the_replies_to_it(anyio_backend_name: str) -> None:
    conversation = await conversing(anyio_backend_name)
    calls = [Call() for _ in range(CALLS)]
    for call in calls:
        conversation.connection.begin(call)

    async def and_again(call: Call) -> None:
        await call.answered.wait()
        conversation.connection.begin(Call())

    callers = [ask(and_again(call)) for call in calls]
    await conversation.writes()
    answers = [(opening(each.stream_id), message(each.stream_id, b""), trailers(each.stream_id)) for each in calls]
    conversation.say(frames.Ping(b"12345678"), *(frame for answer in answers for frame in answer))
    (said,) = await conversation.writes()
    for each in callers:
        await each

    assert said[0] == frames.Ping(b"12345678", ack=True)
    assert len([frame for frame in said if isinstance(frame, frames.Headers)]) == CALLS


async def test_nothing_is_written_while_the_server_does_not_read_and_all_of_it_when_it_does(
    anyio_backend_name: str,
) -> None:
    conversation = await conversing(anyio_backend_name)
    await conversation.stop_reading()
    conversation.connection.begin(Call())
    assert await conversation.writes() == []

    conversation.read_on()

    (said,) = await conversation.writes()
    assert [type(frame) for frame in said] == [frames.Headers, frames.Data]


async def test_a_server_that_asks_and_does_not_read_is_given_up(anyio_backend_name: str) -> None:
    conversation = await conversing(anyio_backend_name)
    call = Call()
    conversation.connection.begin(call)
    await conversation.stop_reading()
    ping = frames.Ping(b"12345678")

    conversation.say(*[ping] * (MAX_UNSENT_REPLY_BYTES // len(ping.serialize()) + 1))
    await call.answered.wait()
    conversation.read_on()
    await conversation.settle()

    (end,) = call.told
    assert isinstance(end, Ended)
    assert end.code is Code.UNAVAILABLE
    assert "asks for answers faster than it reads them" in end.message
    assert conversation.socket.closed


async def test_nothing_holds_a_connection_that_is_over(anyio_backend_name: str) -> None:
    conversation = await conversing(anyio_backend_name)
    over = weakref.ref(conversation.connection)

    await conversation.hang_up()
    del conversation
    gc.collect()

    assert over() is None
