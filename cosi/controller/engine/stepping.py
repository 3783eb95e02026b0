"""Runs a controller's coroutine step by step, to notice when one step keeps the event loop for too long.

A step goes from one wait to the next. Whatever else the process does stands still meanwhile: watchers hear nothing,
calls run into their deadlines. That is no error that anybody would see, so it must be said.
"""

from __future__ import annotations

import time
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, TypeVar

import anyio

ResultT = TypeVar("ResultT")

BLOCKING_SECONDS: Final = 0.1
"""How long a step may take before it is worth a line in the log."""


@types.coroutine
def stepping(coroutine: Coroutine[Any, Any, ResultT], blocked: Callable[[float], None]) -> Generator[Any, Any, ResultT]:
    """Await a coroutine; `blocked` is told the seconds of each step that took too long."""
    step: Callable[[Any], Any] = coroutine.send
    value: Any = None
    while True:
        start = time.perf_counter()
        try:
            request = step(value)
        except StopIteration as stop:
            result: ResultT = stop.value
            return result
        except GeneratorExit as error:  # nobody closes it here: it raised that itself
            raise RuntimeError(f"raised {error!r}, which is not a controller's to raise") from error
        finally:
            seconds = time.perf_counter() - start
            if seconds > BLOCKING_SECONDS:
                blocked(seconds)
        try:
            value = yield request
            step = coroutine.send
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException as error:  # whatever the loop throws in is the coroutine's to handle
            step, value = coroutine.throw, error


async def guarded(coroutine: Coroutine[Any, Any, ResultT], blocked: Callable[[float], None]) -> ResultT:
    """Await what a controller does: an Exception if it fails, a cancellation only if it is meant for the caller.

    Something that it waited for may have been cancelled by somebody else, and it may raise what no Exception is. None
    of that must end more than the controller; only a KeyboardInterrupt is meant for the process. Raises TypeError if
    there is nothing to await.
    """
    if not isinstance(coroutine, Coroutine):
        raise TypeError(f"a controller is written with async def, without yield; this one made {coroutine!r}")
    try:
        return await stepping(coroutine, blocked)
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        cancelled = isinstance(error, anyio.get_cancelled_exc_class())
        if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt) is not None:
            raise
        if (cancelled or isinstance(error, BaseExceptionGroup)) and _is_cancelled():
            raise
        if cancelled:
            raise RuntimeError("cut off by a cancellation that was not meant for it") from error
        raise RuntimeError(f"raised {error!r}, which is not a controller's to raise") from error


def _is_cancelled() -> bool:
    return anyio.get_current_task().has_pending_cancellation()
