"""How the processes log: readable lines on a terminal, JSON for machines, always on standard error.

Whoever keeps or serves what is said taps it: a tap gets each event before it is rendered, so what it makes of it does
not depend on the format.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

import structlog

FORMATS: Final = ("console", "json")

Tap = Callable[[str, Mapping[str, Any]], None]
"""Told of an event's level and its keys, in whatever thread it happened. It may neither log nor keep the mapping."""

_taps: list[Tap] = []


def configure(format: str, *, level: str = "info") -> None:
    """Set up structlog for this process. `format` is one of FORMATS, `level` a name that logging knows."""
    renderers: list[Any]
    if format == "json":
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Plain tracebacks: the prettier ones print local variables, and those hold secrets.
        plain = structlog.dev.plain_traceback
        renderers = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[
            _tap,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


@contextmanager
def tapped(tap: Tap) -> Iterator[None]:
    """Show a tap every event of this process while the body runs, also where nobody has set up structlog."""
    processors = structlog.get_config()["processors"]
    if _tap not in processors:
        processors.insert(0, _tap)  # in place, because loggers that are in use keep the list that they have seen
    _taps.append(tap)
    try:
        yield
    finally:
        _taps.remove(tap)


def _tap(_: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for tap in tuple(_taps):
        tap(level, event)
    return event
