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


TAPPED = """
import structlog
from cosi import logs
configure = {configure!r}
if configure:
    logs.configure(configure)
log = structlog.get_logger(component="sample")
log.info("before")
with logs.tapped(lambda level, event: print(level, dict(event))):
    log.warning("during", number=1)
log.info("after")
"""


@pytest.mark.parametrize("configure", ["console", "json", ""])
def test_a_tap_gets_what_is_said_while_it_is_open_whatever_the_format(configure: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", TAPPED.format(configure=configure)], capture_output=True, text=True, check=True
    )

    said = result.stdout.splitlines()
    assert "warning {'component': 'sample', 'number': 1, 'event': 'during'}" in said
    assert not any("'before'" in line or "'after'" in line for line in said)
