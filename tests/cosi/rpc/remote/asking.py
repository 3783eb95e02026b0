"""Calls that a test makes beside itself, on either event loop."""

from __future__ import annotations

from collections.abc import Coroutine, Generator, Iterable
from typing import Any, Generic, TypeVar

import anyio

from cosi.rpc.remote.loop import running_loop

ReturnedT = TypeVar("ReturnedT")


class Asking(Generic[ReturnedT]):
    """A call under way. Awaited, it returns or raises what the call does."""

    def __init__(self, call: Coroutine[Any, Any, ReturnedT]) -> None:
        self.cancelled = False
        self.error: Exception | None = None
        self._call = call
        self._returned: list[ReturnedT] = []
        self._job = running_loop().start(self._make)

    def __await__(self) -> Generator[Any, None, ReturnedT]:
        return self._outcome().__await__()

    def cancel(self) -> None:
        """Give the call up."""
        self._job.cancel()

    async def over(self) -> None:
        """Wait until the call has ended, however it did."""
        await self._job.over()

    async def _make(self) -> None:
        try:
            self._returned.append(await self._call)
        except anyio.get_cancelled_exc_class():
            self.cancelled = True
            raise
        except Exception as error:
            self.error = error

    async def _outcome(self) -> ReturnedT:
        await self.over()
        if self.error is not None:
            raise self.error
        (returned,) = self._returned
        return returned


def ask(call: Coroutine[Any, Any, ReturnedT]) -> Asking[ReturnedT]:
    """Make a call beside the test."""
    return Asking(call)


async def ask_in_turn(*calls: Coroutine[Any, Any, ReturnedT]) -> list[Asking[ReturnedT]]:
    """Make calls beside the test, each when those before it wait: trio runs tasks in any order."""
    asked = []
    for call in calls:
        asked.append(ask(call))
        await anyio.wait_all_tasks_blocked()
    return asked


async def answers_of(asked: Iterable[Asking[ReturnedT]]) -> list[ReturnedT]:
    """Return what all of them return."""
    return [await each for each in asked]


async def failures(asked: Iterable[Asking[Any]]) -> list[Exception | None]:
    """Return what each of them raises, None where it is nothing."""
    each_asked = list(asked)
    for each in each_asked:
        await each.over()
    return [each.error for each in each_asked]
