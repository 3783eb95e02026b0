"""Spans of time are written as Go writes them (the cases are those of Go's own documentation and tests)."""

import pytest

from talos.go_duration import written


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (250_000_000, "250ms"),
        (3_300_000_000, "3.3s"),
        (60_000_000_000, "1m0s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (480_000_000_001, "8m0.000000001s"),
        (3_600_000_000_000, "1h0m0s"),
        (9_223_372_036_854_775_807, "2562047h47m16.854775807s"),
        (-1_500_000_000, "-1.5s"),
    ],
)
def test_a_span_is_written_as_go_writes_it(nanoseconds: int, text: str) -> None:
    assert written(nanoseconds) == text
