"""The log of events holds the last ones, and each reader reads at its own position."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.event_log import Event, EventLog, Overrun
from talos.xid import XidSource


def filled(count: int, capacity: int = 10, gap: int = 2) -> tuple[EventLog, list[Event]]:
    """A log after so many events, one a second from 100 on; and all of them."""
    seconds = iter(range(100, 100 + count))
    ids = XidSource(lambda: next(seconds))
    log, events = EventLog(capacity, gap), [Event(ids.next(), "", "type", b"") for _ in range(count)]
    for event in events:
        log.append(event)
    return log, events


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_reader_gets_all_from_its_position_on_or_is_told_that_some_are_lost(count: int, position: int) -> None:
    position = min(position, count)
    log, events = filled(count)

    if count - position >= log.capacity:
        with pytest.raises(Overrun):
            log.read(position)
    else:
        assert list(log.read(position)) == events[position:]


@given(st.integers(0, 40), st.integers(-2, 40))
def test_a_tail_is_as_long_as_asked_or_as_there_is(count: int, asked: int) -> None:
    log, events = filled(count)
    most = min(count, log.capacity - log.gap)
    expected = most if asked < 0 else min(asked, most)

    assert list(log.read(log.last(asked))) == events[count - expected :]


@given(st.integers(1, 40), st.data())
def test_what_came_after_an_event_is_found_by_its_id_and_by_its_time(count: int, data: st.DataObject) -> None:
    log, events = filled(count)
    index = data.draw(st.integers(0, count - 1))
    start = max(index + 1, log.earliest)

    assert log.after(events[index].id) == start
    assert log.since(100 + index) == start
    assert list(log.read(start)) == events[start:]
