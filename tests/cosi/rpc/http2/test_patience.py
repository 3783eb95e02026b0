"""Two budgets, spent by what leads to no answer, and refilled by answers and by time."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.rpc.http2 import limits
from cosi.rpc.http2.errors import ErrorCode, ProtocolError, StreamError
from cosi.rpc.http2.patience import Patience


class Clock:
    """Stands still unless it is told otherwise."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def resets_left(patience: Patience) -> int:
    return count(patience.spend_reset, at_most=10 * limits.RESETS_AT_ONCE)


def bytes_left(patience: Patience) -> int:
    return 64 * count(lambda: patience.spend(64), at_most=limits.MAX_IDLE_BYTES)


def count(spend: Callable[[], None], *, at_most: int) -> int:
    for times in range(at_most):
        try:
            spend()
        except ProtocolError:
            return times
    raise AssertionError("no end of patience")


def test_the_first_bytes_are_free_and_the_next_is_too_many() -> None:
    patience = Patience(Clock())
    patience.spend(limits.IDLE_BYTES)

    with pytest.raises(ProtocolError, match="too much that is no request") as refused:
        patience.spend(1)

    assert refused.value.code is ErrorCode.ENHANCE_YOUR_CALM
    assert not isinstance(refused.value, StreamError)


def test_the_first_resets_are_free_and_the_next_is_too_many() -> None:
    patience = Patience(Clock())
    for _ in range(limits.RESETS_AT_ONCE):
        patience.spend_reset()

    with pytest.raises(ProtocolError, match="only to reset them") as refused:
        patience.spend_reset()

    assert refused.value.code is ErrorCode.ENHANCE_YOUR_CALM
    assert not isinstance(refused.value, StreamError)


def test_the_two_budgets_have_nothing_to_do_with_each_other() -> None:
    patience = Patience(Clock())

    patience.spend(limits.IDLE_BYTES)

    assert resets_left(patience) == limits.RESETS_AT_ONCE


def test_answers_buy_bytes_and_no_resets() -> None:
    patience = Patience(Clock())

    patience.earn(6400)

    assert bytes_left(patience) == limits.IDLE_BYTES + 6400
    assert resets_left(patience) == limits.RESETS_AT_ONCE


def test_answers_buy_no_more_than_the_most_there_is() -> None:
    patience = Patience(Clock())

    for _ in range(100):
        patience.earn(limits.MAX_IDLE_BYTES)

    assert bytes_left(patience) == limits.MAX_IDLE_BYTES


def test_time_gives_back_bytes_and_resets() -> None:
    clock = Clock()
    bytes_spent, resets_spent = Patience(clock), Patience(clock)
    bytes_spent.spend(limits.IDLE_BYTES)
    for _ in range(limits.RESETS_AT_ONCE):
        resets_spent.spend_reset()

    clock.seconds += 3

    assert bytes_left(bytes_spent) == 3 * limits.IDLE_BYTES_PER_SECOND
    assert resets_left(resets_spent) == 3 * limits.RESETS_PER_SECOND


def test_a_clock_that_stands_still_gives_nothing_back() -> None:
    patience = Patience(Clock())
    patience.spend(limits.IDLE_BYTES)

    for _ in range(2):
        with pytest.raises(ProtocolError):
            patience.spend(1)


def test_time_gives_back_no_more_than_the_most_there_is() -> None:
    clock = Clock()
    patience = Patience(clock)
    patience.spend(limits.IDLE_BYTES)
    for _ in range(limits.RESETS_AT_ONCE):
        patience.spend_reset()

    clock.seconds += 1e9

    assert bytes_left(patience) == pytest.approx(limits.MAX_IDLE_BYTES, abs=64)
    assert resets_left(patience) == limits.RESETS_AT_ONCE


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, limits.MAX_IDLE_BYTES), st.integers(0, 1000))))
def test_who_stays_within_the_budget_is_never_sent_away(steps: list[tuple[int, int, int]]) -> None:
    clock = Clock()
    patience = Patience(clock)
    budget = limits.IDLE_BYTES

    for seconds, wanted_bytes, answered_bytes in steps:
        clock.seconds += seconds
        patience.earn(answered_bytes)
        gained = seconds * limits.IDLE_BYTES_PER_SECOND + answered_bytes
        budget = min(budget + gained, limits.MAX_IDLE_BYTES)
        spent = min(wanted_bytes, budget)
        patience.spend(spent)
        budget -= spent


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5000)), min_size=1))
def test_nobody_spends_more_than_was_given(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    patience = Patience(clock)
    given_bytes, spent = limits.IDLE_BYTES, 0

    for seconds, answered_bytes in steps:
        clock.seconds += seconds
        patience.earn(answered_bytes)
        given_bytes += seconds * limits.IDLE_BYTES_PER_SECOND + answered_bytes
        try:
            patience.spend(60_000)
        except ProtocolError:
            break
        spent += 60_000

    assert spent <= given_bytes
