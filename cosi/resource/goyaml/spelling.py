"""A scalar's text in each of YAML's styles, and which of the styles can hold it.

The judgement is libyaml's as Go ported it; Go lets tabs stand in block scalars and escapes what lies beyond the basic
plane. It asks only whether the text survives, not what a plain word would mean.
"""

import re
from typing import Final

from cosi.resource.goyaml.node import Style, YAMLError

__all__ = ["BREAKS", "block_header", "double_quoted", "folded_lines", "literal_lines", "single_quoted", "usable_style"]

BREAKS: Final = "\n\r\x85\u2028\u2029"

# What is not printable is named, for the far larger complement would take ten times as long to compile.
_HIDDEN: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff\U00010000-\U0010ffff"
_NOT_PRINTABLE = re.compile(f"[{_HIDDEN}]")
_ESCAPED = re.compile(rf"[{_HIDDEN}\t\n\u2028\u2029\"\\]")
_ALWAYS_PLAIN = re.compile(r"(?!\.\.\.)[A-Za-z0-9_/.][A-Za-z0-9_/.+@=-]*")  # most scalars, without a closer look
_START_INDICATOR = re.compile(r"---|\.\.\.|[#,\[\]{}&*!|>'\"%@`]|[-?:](?:[ \t]|\Z)")
_BLOCK_INDICATOR = re.compile(r":(?:[ \t]|\Z)|[ \t]#")
_FLOW_INDICATOR = re.compile(r"[,?\[\]{}:]|[ \t]#")
_ESCAPES: Final = {
    **{chr(code): f"\\{letter}" for code, letter in zip(range(7, 14), "abtnvfr", strict=True)},
    "\0": "\\0", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip
_BREAK_RUN = re.compile(f"[{BREAKS}]+")
_LINE_START = re.compile(f"(?<=[{BREAKS}])")
_SPACE_BEFORE_BREAK = re.compile(f" [{BREAKS}]")
_SPACE_AFTER_BREAK = re.compile(f"[{BREAKS}] ")


def usable_style(text: str, wanted: Style, *, in_flow: bool, is_key: bool) -> Style:
    """Return `wanted` if it can hold `text` here, else single quotes for plain and double quotes for the rest."""
    style: Style = "|" if not wanted and "\n" in text else wanted
    if not style:
        if not text:
            return "'" if in_flow or is_key else ""
        if _ALWAYS_PLAIN.fullmatch(text) or _fits_plain(text, in_flow=in_flow):
            return ""
        style = "'"
    if style == "'":
        return style if _fits_single_quotes(text) else '"'
    if style in ("|", ">"):
        return style if _fits_block(text) and not in_flow and not is_key else '"'
    return style


def single_quoted(text: str, indent: int) -> str:
    """Double the quotes, and the first line feed of each run of breaks, for a lone one reads back as a space."""

    def broken(run: re.Match[str]) -> str:
        breaks = f"\n{run[0]}" if run[0].startswith("\n") else run[0]
        return breaks if run.end() == len(run.string) else breaks + " " * indent

    doubled = text.replace("'", "''")
    return f"'{_BREAK_RUN.sub(broken, doubled)}'"


def double_quoted(text: str) -> str:
    """Escape whatever is not printable; YAMLError for a lone surrogate, which no escape can name."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def block_header(indicator: str, text: str, depth: int) -> str:
    """Return the indicators of a block scalar: how deep it is if it begins with a blank, and what to do at its end.

    Go always writes 4, and nothing before a tab or after an empty line: then its own text does not read back the same.
    """
    depth_hint = str(depth) if text.lstrip(BREAKS).startswith((" ", "\t")) else ""
    if not text or text[-1] not in BREAKS:
        return f"{indicator}{depth_hint}-"
    return f"{indicator}{depth_hint}+" if len(text) == 1 or text[-2] in BREAKS else indicator + depth_hint


def literal_lines(text: str) -> list[str]:
    """Split into lines that keep their breaks."""
    return [line for line in _LINE_START.split(text) if line]


def folded_lines(text: str) -> list[str]:
    """Split into lines, doubling each line feed that would read back as a space.

    Whether any is doubled hangs, in Go, on the first character of the whole text rather than of the next line.
    """
    lines = literal_lines(text)
    start = text.lstrip(BREAKS)[:1]
    if start in ("", " ", "\t"):
        return lines
    return [f"{line}\n" if line.endswith("\n") and line[0] not in " \t\n" else line for line in lines]


def _fits_plain(text: str, *, in_flow: bool) -> bool:
    if text[0] == " " or text[-1] == " " or _BREAK_RUN.search(text) or not _fits_single_quotes(text):
        return False
    if _START_INDICATOR.match(text):
        return False
    if in_flow:
        return text[0] not in "?:" and _FLOW_INDICATOR.search(text, 1) is None
    return _BLOCK_INDICATOR.search(text, 1) is None


def _fits_single_quotes(text: str) -> bool:
    return "\t" not in text and not any(
        pattern.search(text) for pattern in (_NOT_PRINTABLE, _SPACE_BEFORE_BREAK, _SPACE_AFTER_BREAK)
    )


def _fits_block(text: str) -> bool:
    if not text or text.endswith(" "):
        return False
    return _NOT_PRINTABLE.search(text) is None and _SPACE_BEFORE_BREAK.search(text) is None


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        raise YAMLError(f"a string holds the lone surrogate U+{code:04X}, which is no character")
    if char in _ESCAPES:
        return _ESCAPES[char]
    return f"\\x{code:02X}" if code <= 0xFF else f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
