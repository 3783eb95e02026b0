"""A quoted text is what Go's strconv.Quote makes of it."""

import pytest

from talos.go_quoted import go_quoted


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", '""'),
        ("machined", '"machined"'),
        ("größer", '"größer"'),
        ('a "b" \\c', r'"a \"b\" \\c"'),
        ("two\nlines\t\a\v", r'"two\nlines\t\a\v"'),
        ("\x00\x1b[31m\x7f", r'"\x00\x1b[31m\x7f"'),
        ("\x85\u202e\ufeff", r'"\u0085\u202e\ufeff"'),
        ("\U000e0001", r'"\U000e0001"'),
    ],
)
def test_a_quoted_text_is_gos(text: str, quoted: str) -> None:
    assert go_quoted(text) == quoted
