"""How the processes log: readable lines on a terminal, JSON for machines, always on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog

FORMATS: Final = ("console", "json")


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
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
