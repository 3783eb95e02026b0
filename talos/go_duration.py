"""A span of time as Go writes it: 1m0s, 1.5s, 250ms."""

from __future__ import annotations

from typing import Final

_SECOND: Final = 1_000_000_000
_SMALL_UNITS: Final = ((1_000_000, "ms"), (1_000, "µs"), (1, "ns"))


def written(nanoseconds: int) -> str:
    """Return what Go's time.Duration.String returns for as many nanoseconds."""
    if nanoseconds < 0:
        return f"-{written(-nanoseconds)}"
    if nanoseconds == 0:
        return "0s"
    for unit, name in _SMALL_UNITS:
        if unit <= nanoseconds < _SECOND:
            return f"{_decimal(nanoseconds, unit)}{name}"
    minutes, rest = divmod(nanoseconds, 60 * _SECOND)
    seconds = f"{_decimal(rest, _SECOND)}s"
    if not minutes:
        return seconds
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}"


def _decimal(number: int, unit: int) -> str:
    whole, fraction = divmod(number, unit)
    digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)
