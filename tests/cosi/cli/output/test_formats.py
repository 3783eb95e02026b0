"""A format's name gives its writer, and printing starts fast."""

import io
import subprocess
import sys

import pytest

from cosi.cli.output import OutputError, writer_for

HEAVY = ("pydantic", "structlog", "rich", "msgspec", "asyncio", "anyio", "grpc", "google.protobuf", "yaml", "click")


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("xml", 'output format "xml" is not supported'),
        ('a"b', 'output format "a\\"b" is not supported'),
        ("jsonpath", 'output format "jsonpath" is not supported'),
        ("jsonpath={.a", "error parsing jsonpath: unclosed action"),
    ],
)
def test_an_unknown_format_is_refused_in_the_words_of_talosctl(format: str, message: str) -> None:
    with pytest.raises(OutputError) as refusal:
        writer_for(format, io.StringIO())

    assert str(refusal.value) == message


def test_nothing_heavy_is_imported() -> None:
    program = f"import sys, cosi.cli.output; print([name for name in {HEAVY} if name in sys.modules])"

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"
