"""JSON and plain text as Go prints them: keys sorted, `<`, `>` and `&` escaped, floats without needless exponents."""

import math
from json.encoder import encode_basestring
from typing import Final

from cosi.cli.output.record import OutputError
from cosi.resource.goyaml import Timestamp, format_float

__all__ = ["to_json", "to_text"]

INDENT_COLUMNS = 4

# Go escapes these so that JSON can stand inside HTML and JavaScript.
_ESCAPES: Final = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)


def to_json(value: object, *, indented: bool) -> str:
    """Print a value that YAML gave, without a newline at the end.

    Raises OutputError for what JSON cannot hold: numbers that are not finite, and keys that are not strings.
    """
    return "".join(_encode(value, "\n" if indented else "", []))


def to_text(value: object, *, null: str) -> str:
    """Print a value as Go's fmt does a scalar; collections and timestamps become JSON on one line."""
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not isinstance(value, Timestamp):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float):
        return format_float(value)
    if isinstance(value, int):
        return str(value)
    return to_json(value, indented=False)


def _encode(value: object, newline: str, path: list[str]) -> list[str]:
    """Return the pieces of `value`; `newline` is the line break with its indentation, or nothing."""
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, Timestamp):
        return [_quoted(value.rfc3339)]
    if isinstance(value, str):
        return [_quoted(value)]
    if isinstance(value, bytes):
        return [_quoted(value.decode(errors="replace"))]
    if isinstance(value, int):
        return [str(value)]
    if isinstance(value, float):
        return [_number(value, path)]
    inner = newline + " " * INDENT_COLUMNS if newline else ""
    if isinstance(value, dict):
        colon = ": " if newline else ":"
        keys = _sorted_keys(value, path)
        items = [[_quoted(key), colon, *_encode(value[key], inner, [*path, key])] for key in keys]
        return _enclosed("{", items, "}", newline, inner)
    if isinstance(value, (list, tuple)):
        items = [_encode(item, inner, [*path, str(index)]) for index, item in enumerate(value)]
        return _enclosed("[", items, "]", newline, inner)
    raise OutputError(f"cannot print {_place(path)} as JSON: it is of type {type(value).__name__}")


def _enclosed(opening: str, items: list[list[str]], closing: str, newline: str, inner: str) -> list[str]:
    if not items:
        return [opening, closing]
    pieces = [opening]
    for index, item in enumerate(items):
        pieces.append(f",{inner}" if index else inner)
        pieces += item
    return [*pieces, newline, closing]


def _sorted_keys(value: dict[object, object], path: list[str]) -> list[str]:
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) < len(value):
        odd = next(key for key in value if not isinstance(key, str))
        raise OutputError(f"cannot print {_place(path)} as JSON: its key {odd!r} is not a string")
    return sorted(keys)


def _number(number: float, path: list[str]) -> str:
    if not math.isfinite(number):
        raise OutputError(f"cannot print {_place(path)} as JSON: {format_float(number)} is not a JSON number")
    return format_float(number, exponent_below=-6, exponent_from=21, min_exponent_digits=1)


def _quoted(text: str) -> str:
    return encode_basestring(text).translate(_ESCAPES)


def _place(path: list[str]) -> str:
    return "." + ".".join(path)
