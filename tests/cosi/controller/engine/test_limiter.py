"""A limiter lets through what a token bucket does: as early as the rate allows, and in the order of asking."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import anyio.lowlevel
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from cosi.controller.engine.limiter import Rate, RateLimiter
from cosi.testing.clock import ManualClock

TURNS = 4
"""Turns of the event loop in which whoever was woken has certainly looked at the clock."""

EPSILON = 1e-6

gaps = st.lists(st.sampled_from([0.0, 0.0, 0.01, 0.1, 0.5, 1.0, 5.0]), min_size=1, max_size=30)
rates = st.builds(Rate, st.sampled_from([0.5, 1.0, 4.0, 10.0]), st.integers(1, 6))


async def a_few_turns() -> None:
    for _ in range(TURNS):
        await anyio.lowlevel.checkpoint()


def served(gaps: Sequence[float], rate: Rate) -> list[tuple[int, float]]:
    """Return who is let through, and when, if one after the other asks after these gaps."""
    through: list[tuple[int, float]] = []

    async def ask(limiter: RateLimiter, clock: ManualClock, number: int) -> None:
        await limiter.wait()
        through.append((number, clock.now()))

    async def main() -> None:
        clock = ManualClock(a_few_turns)
        limiter = RateLimiter(rate, clock)
        async with anyio.create_task_group() as tasks:
            for number, gap in enumerate(gaps):
                await clock.advance(gap)
                tasks.start_soon(ask, limiter, clock, number)
                await a_few_turns()
            while clock.next_due is not None:
                await clock.advance(clock.next_due)

    anyio.run(main)
    return through


def bucket(gaps: Sequence[float], rate: Rate) -> list[float]:
    """Return when a bucket that begins full has a token for each: the textbook's way."""
    tokens, filled, now = float(rate.burst), 0.0, 0.0
    times: list[float] = []
    for gap in gaps:
        now += gap
        asks_at = max(now, times[-1] if times else 0.0)
        tokens = min(rate.burst, tokens + (asks_at - filled) * rate.per_second)
        filled = asks_at
        wait = max(0.0, (1 - tokens) / rate.per_second)
        tokens += wait * rate.per_second - 1
        filled += wait
        times.append(filled)
    return times


@settings(max_examples=150)
@given(gaps=gaps, rate=rates)
def test_everybody_is_let_through_in_order_and_as_early_as_a_bucket_lets_them(
    gaps: Sequence[float], rate: Rate
) -> None:
    through = served(gaps, rate)

    assert [number for number, _ in through] == list(range(len(gaps)))
    assert [time for _, time in through] == pytest.approx(bucket(gaps, rate), abs=EPSILON)


@settings(max_examples=150)
@given(gaps=gaps, rate=rates)
def test_in_no_time_there_are_more_than_the_burst_and_the_rate_allow(gaps: Sequence[float], rate: Rate) -> None:
    times = [time for _, time in served(gaps, rate)]

    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= rate.burst + rate.per_second * (times[last] - start) + EPSILON


@pytest.mark.anyio
async def test_who_gives_up_has_used_the_turn_up() -> None:
    clock = ManualClock(a_few_turns)
    limiter = RateLimiter(Rate(1.0), clock)
    await limiter.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.wait)
        await a_few_turns()
        tasks.cancel_scope.cancel()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.wait)
        await a_few_turns()

        assert clock.next_due == pytest.approx(2.0)
        await clock.advance(2.0)


@pytest.mark.parametrize("rate", [Rate(0.0), Rate(-1.0), Rate(1.0, 0)])
def test_a_rate_that_lets_nobody_through_is_refused(rate: Rate) -> None:
    with pytest.raises(ValueError, match="a change rate is positive and has a burst of at least 1"):
        RateLimiter(rate, ManualClock())
