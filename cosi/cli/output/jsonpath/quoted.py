"""Quoted strings with Go's escapes, in either kind of quotes."""

import re
from typing import Final

from cosi.cli.output.record import OutputError

__all__ = ["unquoted"]

_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_SIMPLE_ESCAPES: Final = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), "\\": "\\", "'": "'", '"': '"'}


def unquoted(body: str, quote: str) -> str:
    """Resolve the escapes in what stands between two `quote`s; no other kind of quote may be escaped."""
    data = bytearray()
    at = 0
    while at < len(body):
        if body[at] != "\\":
            data += body[at].encode(errors="replace")
            at += 1
            continue
        match = _ESCAPE.match(body, at)
        if match is None or (match[1] in ("'", '"') and match[1] != quote):
            raise OutputError(f"unquote string {quote}{body}{quote} error invalid syntax")
        simple, byte, octal, short, long = match.groups()
        if simple:
            data += _SIMPLE_ESCAPES[simple].encode()
        elif byte or octal:
            data.append(int(byte, 16) if byte else int(octal, 8))
        else:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                raise OutputError(f"unquote string {quote}{body}{quote} error invalid syntax")
            data += chr(code).encode()
        at = match.end()
    return data.decode(errors="replace")
