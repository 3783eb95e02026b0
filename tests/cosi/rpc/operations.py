"""Everything that can be done to a remote state, for promises that hold for all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from cosi.rpc.remote.state import RemoteState
from cosi.testing.resources import PathResource, path

POINTER = PathResource.pointer_to("a")
KIND = PathResource.kind()
STORED = path("a").with_metadata(path("a").metadata.replace(version=1))

Operation = Callable[[RemoteState], Awaitable[object]]


async def open_watch(remote: RemoteState) -> None:
    async with remote.watch(POINTER):
        pass


async def open_watch_of_kind(remote: RemoteState) -> None:
    async with remote.watch_kind(KIND):
        pass


OPERATIONS: dict[str, Operation] = {
    "get": lambda remote: remote.get(POINTER),
    "list": lambda remote: remote.list(KIND),
    "create": lambda remote: remote.create(path("a")),
    "update": lambda remote: remote.update(STORED),
    "destroy": lambda remote: remote.destroy(POINTER),
    "teardown": lambda remote: remote.teardown(POINTER),
    "teardown_and_destroy": lambda remote: remote.teardown_and_destroy(POINTER),
    "watch": open_watch,
    "watch_kind": open_watch_of_kind,
}
ANSWERED = {name: operation for name, operation in OPERATIONS.items() if "destroy" not in name}
"""Those whose answer says something."""

every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
