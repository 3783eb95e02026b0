"""Lets single resources fail without holding up the others: what went wrong is gathered, and raised at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cosi.controller.outcome import Skip
from cosi.controller.runtime import Runtime
from cosi.resource.resource import AnyResource


class Failures:
    """What went wrong in one reconcile of a Controller, each failure with a note on which resource."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._gathered: list[Exception] = []

    @contextmanager
    def gathering(self, on: AnyResource) -> Iterator[None]:
        """Keep what the body raises for later; Skip is no failure."""
        try:
            yield
        except Skip as skip:
            self._runtime.log.debug("skipped", item=str(on.pointer), reason=str(skip))
        except Exception as error:
            error.add_note(f"on {on}")
            self._gathered.append(error)

    def raise_all(self) -> None:
        """Raise one ExceptionGroup of all that was gathered, if there is anything."""
        if self._gathered:
            raise ExceptionGroup(f"{self._runtime.name} failed on some of its resources", self._gathered)
