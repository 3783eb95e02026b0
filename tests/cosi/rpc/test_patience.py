"""A watch that broke is tried again and again, but not for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cosi.backoff import Backoff
from cosi.rpc.remote.patience import MAX_RESUME_SECONDS, STABLE_SECONDS, Patience


def steady() -> Patience:
    return Patience(Backoff(draw=lambda low, high: (low + high) / 2))


def test_a_watch_that_cannot_be_opened_is_given_up_after_its_time() -> None:
    patience, now, waits = steady(), 0.0, []

    while (delay := patience.broke(now)) is not None:
        waits.append(delay)
        now += delay

    assert waits[:3] == [0.5, 0.75, 1.125]
    assert MAX_RESUME_SECONDS - 60 <= now <= MAX_RESUME_SECONDS


def test_events_make_the_next_break_a_new_one() -> None:
    patience = steady()
    patience.broke(0)
    patience.opened(1)
    patience.worked()

    assert patience.broke(MAX_RESUME_SECONDS * 2) == 0.5


def test_a_quiet_watch_that_held_for_long_is_as_good_as_one_with_events() -> None:
    patience = steady()
    patience.broke(0)
    patience.opened(1)

    assert patience.broke(1 + STABLE_SECONDS) == 0.5


def test_a_server_that_takes_a_watch_and_drops_it_is_given_up_too() -> None:
    patience, now = steady(), 0.0

    while (delay := patience.broke(now)) is not None:
        now += delay
        patience.opened(now)

    assert now <= MAX_RESUME_SECONDS


@given(st.lists(st.sampled_from(["opened", "worked"])), st.floats(min_value=0, max_value=1e6))
def test_the_time_spent_on_one_break_is_bounded_whatever_came_before(history: list[str], start: float) -> None:
    patience, now = Patience(), start
    for what in history:
        now += patience.broke(now) or 0
        patience.opened(now) if what == "opened" else patience.worked()
    patience.worked()
    began = now

    while (delay := patience.broke(now)) is not None:
        now += delay

    assert now - began <= MAX_RESUME_SECONDS + 1e-6
