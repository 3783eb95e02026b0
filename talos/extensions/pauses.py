"""A registry that says when to come back is not asked before: every pull knows of the pauses that others were told.

`Retry-After` is seconds or a date. A date is measured against the answer's own Date, because the clock of a machine
that has just started may be off by years. Source: RFC 9110, 10.2.3.
"""

import math
import re
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from time import monotonic

MAX_PAUSE_SECONDS = 5 * 60.0
"""However long a registry asks for: it may have meant somebody else, and be well again before."""

_SECONDS = re.compile(r"[0-9]{1,18}")
_PAUSING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Pauses:
    """Whom to leave alone until when; `now` counts seconds from any moment."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._ends: dict[Hashable, float] = {}

    def note(self, place: Hashable, seconds: float) -> None:
        """Leave a place alone for so long from now on."""
        now = self._now()
        self._ends = {known: end for known, end in self._ends.items() if end > now}
        self._ends[place] = now + seconds

    def left(self, place: Hashable) -> float:
        """Return the seconds for which a place is still to be left alone; 0 if it may be asked."""
        return max(self._ends.get(place, -math.inf) - self._now(), 0.0)


def pause_of(status: int, headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that an answer asks for, no more than MAX_PAUSE_SECONDS; None where it asks for none."""
    wanted = headers.get("Retry-After", "").strip()
    if status not in _PAUSING or not wanted:
        return None
    if _SECONDS.fullmatch(wanted):
        seconds = float(wanted)
    else:
        end = _date(wanted)
        if end is None:
            return None
        seconds = (end - (_date(headers.get("Date", "")) or now or datetime.now(UTC))).total_seconds()
    return min(seconds, MAX_PAUSE_SECONDS) if seconds > 0 else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
