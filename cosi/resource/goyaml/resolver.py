"""What an unquoted word of YAML means to Go.

The rules are YAML 1.2's core schema with what Go adds: `0x`, `0o`, `0b` and the old leading-zero octal integers,
underscores between digits, infinities and not-a-number, merge keys, and timestamps. What YAML 1.1 also took for
booleans (`yes`, `on`) and sexagesimal numbers (`12:30`) are strings, although Go still quotes them when it prints.
"""

import math
import re
from typing import Final

__all__ = [
    "BINARY",
    "BOOL",
    "FLOAT",
    "INT",
    "MERGE",
    "NULL",
    "STR",
    "TIMESTAMP",
    "Timestamp",
    "needs_quotes_in_yaml_1_1",
    "resolve",
]

PREFIX: Final = "tag:yaml.org,2002:"
NULL: Final = PREFIX + "null"
BOOL: Final = PREFIX + "bool"
INT: Final = PREFIX + "int"
FLOAT: Final = PREFIX + "float"
STR: Final = PREFIX + "str"
BINARY: Final = PREFIX + "binary"
TIMESTAMP: Final = PREFIX + "timestamp"
MERGE: Final = PREFIX + "merge"

MAX_NUMBER_CHARS = 512  # longer digit strings are text: Go would overflow, Python would take quadratic time

_WORDS: Final[dict[str, tuple[str, object]]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys(("true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (BOOL, False)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, float("nan"))),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (FLOAT, float("inf"))),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (FLOAT, float("-inf"))),
    **dict.fromkeys(("-0", "-0.0"), (FLOAT, -0.0)),
    "<<": (MERGE, "<<"),
}
_OLD_BOOLEAN = re.compile("[yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 10)  # of the groups of _INTEGER, in order
_INTEGER_RANGES = {"": (0, (1 << 64) - 1), "+": (0, (1 << 63) - 1), "-": (-(1 << 63), 0)}  # Go: uint64 has no sign
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt](?=.*(?:Z|[-+]\d\d:\d\d)\Z)| +(?=[\d:.,]*\Z))"  # behind a T the offset is due, behind a space barred
    r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d+))?(?:Z|([-+])(\d\d):(\d\d))?)?",
    re.ASCII,
)
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NANOSECOND_DIGITS = 9
_MAX_OFFSET_HOURS, _MAX_OFFSET_MINUTES = 24, 60  # both inclusive, as in Go's time package


class Timestamp(str):
    """An unquoted timestamp: the text as written, which is also what Go gives to a field of type string."""

    __slots__ = ()

    @property
    def rfc3339(self) -> str:
        """The same instant as Go prints it in YAML and JSON: date, time, offset; no trailing zeros in the fraction."""
        return _rfc3339(self) or str(self)


def resolve(text: str) -> tuple[str, object]:
    """Return the tag and the value of a plain scalar."""
    word = _WORDS.get(text)
    if word is not None:
        return word
    if text[0] not in "+-.0123456789" or len(text) > MAX_NUMBER_CHARS:
        return STR, text
    if text[0] == ".":
        return _resolve_float(text, _POINT_FLOAT)
    if _rfc3339(text):
        return TIMESTAMP, Timestamp(text)
    digits = text.replace("_", "")
    if (integer := _INTEGER.fullmatch(digits)) is not None:
        sign, *groups = integer.groups()
        number = next(int(sign + group, base) for group, base in zip(groups, _BASES, strict=True) if group)
        least, most = _INTEGER_RANGES[sign]
        if least <= number <= most:
            return INT, number
    tag, value = _resolve_float(digits, _FLOAT)
    return (tag, value) if tag == FLOAT else (STR, text)


def needs_quotes_in_yaml_1_1(text: str) -> bool:
    """Tell whether Go quotes this string only for the sake of older readers, or so that `<<` is no merge key."""
    return text == "<<" or any(shape.fullmatch(text) for shape in (_OLD_BOOLEAN, _SEXAGESIMAL))


def _resolve_float(text: str, shape: re.Pattern[str]) -> tuple[str, object]:
    if shape.fullmatch(text) is not None:
        number = float(text)
        if math.isfinite(number):  # what overflows is an error, hence text, to Go
            return FLOAT, number
    return STR, text


def _rfc3339(text: str) -> str:
    """Return the timestamp in full, or nothing if this is none."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return ""
    year, month, day, hour, minute, second, _, _, offset_hour, offset_minute = (
        int(group) if group and group.isdecimal() else 0 for group in match.groups()
    )
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= month <= 12 or not 1 <= day <= _DAYS_IN_MONTH[month - 1] or (month == 2 and day == 29 and not leap):
        return ""
    if hour > 23 or minute > 59 or second > 59:
        return ""
    if offset_hour > _MAX_OFFSET_HOURS or offset_minute > _MAX_OFFSET_MINUTES:
        return ""
    fraction = (match[7] or "")[:_NANOSECOND_DIGITS].rstrip("0")
    offset = f"{match[8]}{match[9]}:{match[10]}" if offset_hour or offset_minute else "Z"
    clock = f"{hour:02}:{minute:02}:{second:02}" + (f".{fraction}" if fraction else "")
    return f"{year:04}-{month:02}-{day:02}T{clock}{offset}"
