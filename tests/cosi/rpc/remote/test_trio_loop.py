"""The two tasks of a connection on trio fail alone."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

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
