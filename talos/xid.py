"""The ids of a node's events: twelve bytes that sort by time, written as twenty characters.

    time (4, seconds) │ machine (3) │ process (2) │ counter (3)

Ids of one source sort in the order in which they were made, even where the clock is set back. The layout and the
alphabet are those of rs/xid, which Talos uses.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable
from typing import Final

BYTES: Final = 12
CHARACTERS: Final = 20

_TIME_BYTES: Final = 4
_SOURCE_BYTES: Final = 5
_COUNTER_BYTES: Final = 3
_FIRST_COUNTER: Final = 1 << 20
"""Counting starts somewhere below this, so that the counter has room for fifteen million ids before it begins anew."""


class XidSource:
    """Makes ids; `now` returns seconds since 1970."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._source = secrets.token_bytes(_SOURCE_BYTES)
        self._counter = secrets.randbelow(_FIRST_COUNTER)
        self._seconds = 0

    def next(self) -> bytes:
        """Return an id that is greater than all before."""
        self._counter = (self._counter + 1) % (1 << 8 * _COUNTER_BYTES)
        self._seconds = max(self._seconds, int(self._now()))
        counter = self._counter.to_bytes(_COUNTER_BYTES, "big")
        return self._seconds.to_bytes(_TIME_BYTES, "big") + self._source + counter


def seconds_of(xid: bytes) -> int:
    """Return when an id was made, in whole seconds since 1970."""
    return int.from_bytes(xid[:_TIME_BYTES], "big")


def text_of(xid: bytes) -> str:
    """Return an id's twenty characters."""
    return base64.b32hexencode(xid).decode().rstrip("=").lower()


def parse(text: str) -> bytes:
    """Return the id that is written so. Raises ValueError."""
    problem = ValueError("xid: invalid ID")
    if len(text) != CHARACTERS or text != text.lower():
        raise problem
    try:
        xid = base64.b32hexdecode(text.upper() + "====")
    except (binascii.Error, ValueError):
        raise problem from None
    if text_of(xid) != text:  # bits that no id has
        raise problem
    return xid
