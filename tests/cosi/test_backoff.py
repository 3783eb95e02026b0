"""Restarts wait longer each time, and never together."""

from cosi.backoff import INITIAL_SECONDS, JITTER, MAX_SECONDS, Backoff


def test_intervals_grow_to_a_limit_and_start_over_after_a_success() -> None:
    backoff = Backoff(draw=lambda low, high: (low + high) / 2)

    waits = [backoff.next() for _ in range(20)]

    assert waits[:4] == [0.5, 0.75, 1.125, 1.6875]
    assert waits == sorted(waits)
    assert waits[-1] == MAX_SECONDS
    backoff.reset()
    assert backoff.next() == INITIAL_SECONDS


def test_what_fails_often_for_a_short_time_may_be_tried_again_sooner() -> None:
    backoff = Backoff(draw=lambda low, high: (low + high) / 2, initial_seconds=2.0, max_seconds=4.0)

    assert [backoff.next() for _ in range(3)] == [2.0, 3.0, 4.0]
    backoff.reset()
    assert backoff.next() == 2.0


def test_a_wait_is_drawn_around_the_interval() -> None:
    backoff = Backoff()

    first = [Backoff().next() for _ in range(100)]

    assert all(INITIAL_SECONDS * (1 - JITTER) <= wait <= INITIAL_SECONDS * (1 + JITTER) for wait in first)
    assert len(set(first)) > 1
    assert 0 < backoff.next() < MAX_SECONDS
