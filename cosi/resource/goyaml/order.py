"""The order in which Go prints the keys of a map: digits count as numbers, letters come after everything else."""

from collections.abc import Mapping
from functools import cmp_to_key
from typing import TypeVar

__all__ = ["in_go_order"]

MAX_KEY_DIGITS = 18  # of a number inside a key; what fits 64 bits is compared by value

V = TypeVar("V")


def in_go_order(values: Mapping[str, V]) -> dict[str, V]:
    """Return the same mapping with its keys as Go's YAML sorts them: `eth2` before `eth10`, `a-b` before `ab`."""
    return {key: values[key] for key in sorted(values, key=cmp_to_key(_compare))}


def _compare(left: str, right: str) -> int:
    return -1 if _less(left, right) else int(left != right)


def _less(left: str, right: str) -> bool:
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if at is None:
        return len(left) < len(right)
    a, b = left[at], right[at]
    if a.isalpha() and b.isalpha():
        return a < b
    if a.isalpha() or b.isalpha():
        # Inside a number the shorter number comes first: "a1b" before "a10"; elsewhere letters come last.
        return a.isalpha() if at and _is_digit(left[at - 1]) else b.isalpha()
    left_number, left_end = _number(left, at)
    right_number, right_end = _number(right, at)
    if "0" in (a, b) and _in_number(left, at):
        # Both are the tails of longer numbers with the same start: the zero is a digit of weight, not a leading one.
        left_number += 10 ** (left_end - at)
        right_number += 10 ** (right_end - at)
    if left_number != right_number:
        return left_number < right_number
    return left_end < right_end if left_end != right_end else a < b


def _is_digit(char: str) -> bool:
    return char.isdecimal()


def _in_number(text: str, at: int) -> bool:
    """Tell whether a digit other than zero stands before `at` in the same run of digits."""
    start = at
    while start and _is_digit(text[start - 1]):
        start -= 1
    return text[start:at].strip("0") != ""


def _number(text: str, at: int) -> tuple[int, int]:
    """Return the number that begins at `at` (zero if none) and where it ends."""
    end = at
    while end < len(text) and _is_digit(text[end]):
        end += 1
    return int(text[at:end][:MAX_KEY_DIGITS] or "0"), end
