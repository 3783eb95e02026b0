"""What was said lately, line by line, in a ring of so many bytes: readers are positions in it.

    begin ─▶ oldest ┃ … ┃ … ┃ newest ◀─ end          a reader before `begin` has lost what lay between

Appending drops the oldest lines to make room, and never waits for readers; whoever is too slow is told how much it has
missed. Three faces of a line are Talos's: of the kernel's log (`dmesg`), of machined's, and of the controllers'.
"""

from __future__ import annotations

import datetime
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

CAPACITY_BYTES: Final = 1 << 20
"""As much as Talos keeps of each log."""

LINE_OVERHEAD_BYTES: Final = 200
"""What a line costs besides its text, so that many short ones don't grow the ring."""

MAX_LINE_CHARACTERS: Final = 2000
"""A line that is longer is cut: nobody reads it on a screen, and a few of them would push out everything else."""

LINES_AT_A_TIME: Final = 256
"""How many lines a reader is given at once: half a megabyte at most."""

PRIORITIES: Final[Mapping[str, str]] = {"critical": "crit", "error": "err"}
"""The kernel's names of levels, where they differ."""

_CUT: Final = "…"


class Line(NamedTuple):
    """One thing that was said: when, in nanoseconds since 1970; how grave it is; whether a controller said it."""

    time_ns: int
    level: str
    by_controller: bool
    text: str


class Reading(NamedTuple):
    """What a reader gets: the lines, how many before them are lost, and the position to go on from."""

    lines: Sequence[Line]
    lost: int
    position: int


class LogRing:
    """The ring. Positions count lines from the first that there ever was."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity_bytes = capacity_bytes
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self.end = 0

    @property
    def begin(self) -> int:
        """The position of the oldest line that is still there."""
        return self.end - len(self._lines)

    def append(self, line: Line) -> None:
        """Add the newest line."""
        self._lines.append(line)
        self._bytes += _size(line)
        self.end += 1
        while self._bytes > self._capacity_bytes:
            self._bytes -= _size(self._lines.popleft())

    def read(self, position: int) -> Reading:
        """Return the next lines from a position on, LINES_AT_A_TIME at most; none if there are none yet."""
        start = max(position, self.begin)
        # Most readers are near the end, and a deque finds its way from there to a line as fast as from its beginning.
        indexes = range(start - self.begin, min(start - self.begin + LINES_AT_A_TIME, len(self._lines)))
        lines = [self._lines[index] for index in indexes]
        return Reading(lines, start - position, start + len(lines))

    def last(self, count: int, wanted: Callable[[Line], bool]) -> int:
        """Return the position from which on there are so many wanted lines, or all of them if there are fewer."""
        position = self.end
        if count <= 0:
            return position
        for line in reversed(self._lines):
            position -= 1
            count -= wanted(line)
            if not count:
                break
        return position


def text_of(said: str, facts: Mapping[str, object]) -> str:
    """Return one line for what was said and its facts: key=value, quoted where it must be, cut where it is too long.

    Whatever could move a terminal's cursor is escaped: some of it comes from files and registries.
    """
    words = [_printable(said), *(f"{_printable(key)}={_value(value)}" for key, value in facts.items())]
    line = " ".join(words)
    return line if len(line) <= MAX_LINE_CHARACTERS else line[: MAX_LINE_CHARACTERS - len(_CUT)] + _CUT


def as_dmesg(line: Line) -> str:
    """Return a line as Talos shows the kernel's log, to which its own goes."""
    priority = PRIORITIES.get(line.level, line.level)
    return f"user: {priority:>7}: [{_rfc3339(line.time_ns)}]: [talos] {line.text}\n"


def as_machined(line: Line) -> str:
    """Return a line as it is in Talos's log `machined`."""
    return f"{_moment(line.time_ns):%Y/%m/%d %H:%M:%S.%f} {line.text}\n"


def as_controller_runtime(line: Line) -> str:
    """Return a line as it is in Talos's log `controller-runtime`, but for the colours."""
    milliseconds = line.time_ns // 1_000_000 % 1000
    return f"{_moment(line.time_ns):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z {line.level.upper()} {line.text}\n"


def _size(line: Line) -> int:
    return LINE_OVERHEAD_BYTES + len(line.text)


def _value(value: object) -> str:
    text = str(value)
    if text and text.isprintable() and not any(character in text for character in ' "='):
        return text
    return f'"{_printable(json.dumps(text, ensure_ascii=False)[1:-1])}"'


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _moment(time_ns: int) -> datetime.datetime:
    # The microseconds come from the integer: a float of seconds has lost some of them.
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(microsecond=nanoseconds // 1000)


def _rfc3339(time_ns: int) -> str:
    """Return a time as Go's RFC3339Nano has it: without the zeros at the end of the fraction."""
    fraction = f".{time_ns % 1_000_000_000:09}".rstrip("0").rstrip(".")
    return f"{_moment(time_ns):%Y-%m-%dT%H:%M:%S}{fraction}Z"
