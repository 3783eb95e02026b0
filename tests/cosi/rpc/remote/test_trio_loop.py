"""The two tasks of a connection on trio: they fail alone, and one lets the other finish."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from cosi.rpc.http2 import frames
from cosi.rpc.http2.errors import ErrorCode
from cosi.rpc.http2.events import Ended, Message
from tests.cosi.rpc.remote.conversation import conversing
from tests.cosi.rpc.remote.raw_server import message, opening
from tests.cosi.rpc.remote.test_connection import Call

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "trio"


class Startled(Call):
    """Fails when it is told of a message."""

    def tell(self, event: Message | Ended) -> None:
        super().tell(event)
        if isinstance(event, Message):
            raise ZeroDivisionError("nothing to divide by")


async def test_the_last_words_wait_for_those_before_them() -> None:
    conversation = await conversing("trio")
    await conversation.stop_reading()
    conversation.connection.close()
    conversation.read_on()

    (said,) = await conversation.writes()

    assert said == [frames.GoAway(0, ErrorCode.NO_ERROR, b"the connection was closed")]


async def test_a_defect_breaks_its_connection_and_nothing_else() -> None:
    conversation = await conversing("trio")
    startled, other = Startled(), Call()
    conversation.connection.begin(startled)
    conversation.connection.begin(other)

    with capture_logs() as logs:
        conversation.say(opening(startled.stream_id), message(startled.stream_id, b"boo"))
        await other.answered.wait()

    (end,) = other.told
    assert isinstance(end, Ended)
    assert end.message == "the connection to somewhere broke: nothing to divide by"
    assert [entry["event"] for entry in logs] == ["connection failed"]
    assert conversation.socket.closed
