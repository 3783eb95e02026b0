"""The event log is a list of which only the end is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.state.errors import InvalidBookmark
from cosi.state.event import EventType
from cosi.state.memory.log import SLACK, EventLog, new_cookie
from cosi.testing.resources import integer

_COOKIE = b"8 bytes!"


@st.composite
def _sizes(draw: st.DrawFn) -> tuple[int, int]:
    capacity = draw(st.integers(min_value=1, max_value=8))
    return capacity, draw(st.integers(min_value=0, max_value=capacity - 1))


def _filled(capacity: int, gap: int, count: int) -> EventLog:
    log = EventLog(capacity, gap, _COOKIE)
    for number in range(count):
        log.append(None, integer(str(number), number))
    return log


def _ids(log: EventLog, position: int) -> list[str]:
    return [event.resource.id for event in log.since(position) if event.resource is not None]


def _told(log: EventLog, position: int) -> list[tuple[str, bytes]]:
    return [(str(event.resource), event.bookmark) for event in log.since(position)]


@given(_sizes(), st.integers(min_value=0, max_value=60))
def test_what_is_not_overrun_reads_as_if_everything_were_kept(sizes: tuple[int, int], count: int) -> None:
    capacity, gap = sizes
    log = _filled(capacity, gap, count)
    everything = [str(number) for number in range(count)]

    for position in range(count + 1):
        assert log.overrun(position) is (count - position > capacity)
        if not log.overrun(position):
            assert _ids(log, position) == everything[position:]


@given(_sizes(), st.integers(min_value=0, max_value=60))
def test_a_new_watch_starts_with_room_to_the_first_event_kept(sizes: tuple[int, int], count: int) -> None:
    capacity, gap = sizes
    log = _filled(capacity, gap, count)

    assert log.earliest == max(count - (capacity - gap), 0)
    for _ in range(gap):
        assert not log.overrun(max(count - (capacity - gap), 0))
        log.append(None, integer("more", 0))
    assert not log.overrun(max(count - (capacity - gap), 0))


@given(_sizes(), st.integers(min_value=0, max_value=60), st.integers(min_value=-3, max_value=63))
def test_a_bookmark_resumes_right_after_its_event_or_not_at_all(
    sizes: tuple[int, int], count: int, position: int
) -> None:
    capacity, gap = sizes
    log = _filled(capacity, gap, count)
    kept = -1 <= position < count and position >= count - (capacity - gap)

    if kept:
        assert log.after(log.bookmark(position)) == position + 1
    else:
        with pytest.raises(InvalidBookmark):
            log.after(log.bookmark(position))


@given(_sizes(), st.integers(min_value=1, max_value=60))
def test_every_event_carries_the_bookmark_of_its_position(sizes: tuple[int, int], count: int) -> None:
    log = _filled(*sizes, count)

    first = max(count - sizes[0], 0)
    assert [event.bookmark for event in log.since(first)] == [log.bookmark(at) for at in range(first, count)]


@given(st.binary(max_size=24))
def test_no_other_bytes_are_a_bookmark(data: bytes) -> None:
    log = _filled(8, 0, 3)

    if data not in [log.bookmark(position) for position in range(-1, 3)]:
        with pytest.raises(InvalidBookmark):
            log.after(data)


def test_bookmarks_of_another_state_are_refused() -> None:
    log = EventLog(8, 0, new_cookie())
    other = EventLog(8, 0, new_cookie())
    log.append(None, integer("a", 1))
    other.append(None, integer("a", 1))

    with pytest.raises(InvalidBookmark):
        log.after(other.bookmark(0))


def test_an_event_says_what_became_of_the_resource() -> None:
    log, one, two = EventLog(8, 0, _COOKIE), integer("a", 1), integer("a", 2)
    log.append(None, one)
    log.append(one, two)
    log.append(two, None)

    assert [(event.type, event.resource, event.old) for event in log.since(0)] == [
        (EventType.CREATED, one, None),
        (EventType.UPDATED, two, one),
        (EventType.DESTROYED, two, None),
    ]


@given(_sizes(), st.lists(st.booleans(), max_size=60))
def test_who_reads_changes_nothing_for_who_reads_later(sizes: tuple[int, int], read_after: list[bool]) -> None:
    now_and_then, never = EventLog(*sizes, _COOKIE), EventLog(*sizes, _COOKIE)
    for number, read in enumerate(read_after):
        for log in (now_and_then, never):
            log.append(None, integer(str(number), number))
        if read:
            now_and_then.since(number)

    first = max(len(read_after) - sizes[0], 0)
    assert _told(now_and_then, first) == _told(never, first)


def test_all_readers_share_one_event() -> None:
    log = _filled(8, 0, 1)
    [before] = log.since(0)
    log.append(None, integer("more", 0))

    assert log.since(0)[0] is before
    assert log.since(1)[0] is log.since(0)[1]


@given(_sizes(), st.integers(min_value=0, max_value=100), st.integers(min_value=0, max_value=100))
def test_memory_is_bounded_by_the_slack(sizes: tuple[int, int], read: int, unread: int) -> None:
    log = _filled(*sizes, read)
    log.since(read)
    for number in range(unread):
        log.append(None, integer(str(number), number))

    assert len(log._events) + len(log._unread) <= SLACK * sizes[0]


@pytest.mark.parametrize(("capacity", "gap"), [(0, 0), (1, 1), (4, 5), (4, -1)])
def test_a_gap_that_does_not_fit_is_refused(capacity: int, gap: int) -> None:
    with pytest.raises(ValueError, match=f"not {gap} of {capacity}"):
        EventLog(capacity, gap, _COOKIE)
