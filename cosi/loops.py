"""The event loop that a command runs on: asyncio's own, or uvloop where somebody installed it (`[uvloop]`).

uvloop takes some 10 µs less for each time a socket wakes it up. Nothing else here depends on it. No loop ends before
its tasks do, so a process that can't wait any longer for one of them has to leave without it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Final, TypeVarTuple

import anyio

EXIT_OVERDUE: Final = 3
"""The exit code of a process that ended although something in it did not."""

Arguments = TypeVarTuple("Arguments")


def run(function: Callable[[*Arguments], Awaitable[None]], *arguments: *Arguments) -> None:
    """Run an async function to its end, on the fastest loop there is."""
    anyio.run(function, *arguments, backend_options={"use_uvloop": find_spec("uvloop") is not None})


def leave() -> None:
    """End the process at once: there is something in it that does not end."""
    os._exit(EXIT_OVERDUE)
