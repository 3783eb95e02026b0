"""The event loop that a command runs on: asyncio's own, or uvloop where somebody installed it (`[uvloop]`).

uvloop takes some 10 µs less for each time a socket wakes it up. Nothing else here depends on it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TypeVarTuple

import anyio

Arguments = TypeVarTuple("Arguments")


def run(function: Callable[[*Arguments], Awaitable[None]], *arguments: *Arguments) -> None:
    """Run an async function to its end, on the fastest loop there is."""
    anyio.run(function, *arguments, backend_options={"use_uvloop": find_spec("uvloop") is not None})
