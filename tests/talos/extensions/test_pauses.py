"""A registry is left alone for as long as it asks, within bounds."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.pauses import MAX_PAUSE_SECONDS, Pauses, pause_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_place_is_left_alone_until_its_time_is_over() -> None:
    clock = Clock()
    pauses = Pauses(clock)
    pauses.note("a", 30)

    assert (pauses.left("a"), pauses.left("b")) == (30, 0)
    clock.seconds += 29
    assert pauses.left("a") == 1
    clock.seconds += 1
    assert pauses.left("a") == 0


def test_what_is_over_is_forgotten() -> None:
    clock = Clock()
    pauses = Pauses(clock)
    for number in range(100):
        pauses.note(number, 1)
        clock.seconds += 1

    assert len(pauses._ends) == 1


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [
        ("17", 17),
        (" 17 ", 17),
        ("999999999999", MAX_PAUSE_SECONDS),
        (format_datetime(NOW + timedelta(seconds=40), usegmt=True), 40),
        (format_datetime(NOW + timedelta(days=4), usegmt=True), MAX_PAUSE_SECONDS),
        (format_datetime(NOW - timedelta(seconds=40), usegmt=True), None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_pause_is_seconds_or_a_date_and_bounded(status: int, wanted: str, seconds: float | None) -> None:
    assert pause_of(status, {"Retry-After": wanted}, now=NOW) == seconds


def test_a_date_is_measured_against_the_registrys_own_clock() -> None:
    there = NOW - timedelta(days=9000)
    headers = {
        "Retry-After": format_datetime(there + timedelta(seconds=7), usegmt=True),
        "Date": format_datetime(there, usegmt=True),
    }

    assert pause_of(503, headers, now=NOW) == 7


@pytest.mark.parametrize("status", [200, 404, 500, 502])
def test_other_answers_ask_for_no_pause(status: int) -> None:
    assert pause_of(status, {"Retry-After": "17"}) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_header_is_read_or_passed_over(wanted: str, date: str) -> None:
    pause = pause_of(429, {"Retry-After": wanted, "Date": date})

    assert pause is None or 0 < pause <= MAX_PAUSE_SECONDS
