"""Texts as Go quotes them in its messages, with `%q`: nothing in them can be taken for the words around them.

Faithful to Go's strconv.Quote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_ESCAPES: Final[Mapping[str, str]] = {
    '"': '\\"', "\\": "\\\\",
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
}  # fmt: skip


def go_quoted(text: str) -> str:
    """Return a text between quotes, without line breaks and what else can't be seen."""
    return f'"{"".join(map(_shown, text))}"'


def _shown(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if number < ord(" ") or number == 0x7F:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
