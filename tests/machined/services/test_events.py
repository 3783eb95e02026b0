"""A client says from where it wants events, as talosctl's options do."""

import pytest

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Refusal, messages
from machined.events import Events
from machined.services.events import EventsService, start
from talos import xid
from talos._pb.machine.machine_pb2 import Event as Told
from talos._pb.machine.machine_pb2 import EventsRequest, TaskEvent
from talos.event_log import Event, EventLog
from talos.xid import XidSource


@pytest.fixture
def log() -> EventLog:
    """A log of twenty events."""
    log, ids = EventLog(), XidSource()
    for _ in range(20):
        log.append(Event(ids.next(), "", "type", b""))
    return log


def test_a_client_starts_with_what_happens_next_unless_it_asks_for_more(log: EventLog) -> None:
    assert start(log, EventsRequest()) == 20
    assert start(log, EventsRequest(with_actor_id="somebody")) == 20
    assert start(log, EventsRequest(tail_events=5)) == 15
    assert start(log, EventsRequest(tail_events=-1)) == 0
    assert start(log, EventsRequest(tail_id=xid.text_of(log.read(7)[0].id))) == 8
    assert start(log, EventsRequest(tail_seconds=60)) == 0


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (EventsRequest(tail_id="nonsense"), "error parsing tail_id: xid: invalid ID"),
        (
            EventsRequest(tail_id="9m4e2mr0ui3e8a215n4g", tail_events=1),
            "WithTailID can't be specified at the same time with WithTailEvents or WithTailDuration",
        ),
        (
            EventsRequest(tail_seconds=1, tail_events=1),
            "WithTailDuration can't be specified at the same time with WithTailEvents or WithTailID",
        ),
        (
            EventsRequest(tail_seconds=1, tail_id="9m4e2mr0ui3e8a215n4g"),
            "WithTailDuration can't be specified at the same time with WithTailEvents or WithTailID",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_in_talos_words(
    log: EventLog, request_: EventsRequest, message: str
) -> None:
    with pytest.raises(Refusal) as refused:
        start(log, request_)

    assert (refused.value.code, refused.value.message) == (Code.UNKNOWN, message)


@pytest.mark.anyio
async def test_a_client_hears_of_one_actor_alone_if_it_asks_for_that_after_an_empty_event() -> None:
    events = Events()
    for task, actor in (("a", "me"), ("b", "somebody"), ("c", "me")):
        events.publish(TaskEvent(task=task), actor)
    stream = EventsService(events).service.server_streaming["Events"]

    request = EventsRequest(tail_events=-1, with_actor_id="me").SerializeToString()
    answers = stream(request, Call())
    frames = [await anext(answers)]
    events.close()
    frames += [answer async for answer in answers]

    hello, *told = [
        Told.FromString(message) for each in frames if isinstance(each, bytes) for message in messages(each)
    ]
    assert (hello.data.type_url, hello.data.value, hello.actor_id) == ("", b"", "me")
    assert [TaskEvent.FromString(event.data.value).task for event in told] == ["a", "c"]


@pytest.mark.anyio
async def test_a_node_that_is_about_to_end_tells_nobody_of_its_past() -> None:
    events = Events()
    events.close()

    with pytest.raises(Refusal) as refused:
        await anext(EventsService(events).service.server_streaming["Events"](b"", Call()))

    assert refused.value.code is Code.UNAVAILABLE
