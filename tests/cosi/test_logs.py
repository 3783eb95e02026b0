"""The log is for people or for machines, and never for secrets."""

import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from cosi import logs
logs.configure({format!r})
log = structlog.get_logger(controller="example.Shout")
def fail():
    password = "hunter2"
    raise ValueError("no luck")
try:
    fail()
except ValueError as error:
    log.error("controller failed", exc_info=error)
"""


@pytest.mark.parametrize("format", ["console", "json"])
def test_a_traceback_shows_where_and_why_but_no_values(format: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(format=format)], capture_output=True, text=True, check=True
    )

    assert result.stdout == ""
    assert "example.Shout" in result.stderr
    assert "ValueError: no luck" in result.stderr
    assert "hunter2" not in result.stderr
