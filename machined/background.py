"""Work that outlives the call that asked for it: done beside everything else, and cancelled when the node ends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Refusal

MAX_WAITING: Final = 256
"""How much may wait to be begun; all is begun at once while `run` runs, so there is hardly ever any."""

Job = Callable[[], Coroutine[Any, Any, None]]


class Background:
    """Where work is left; `run` does it. What is left before that waits for it."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[Job](MAX_WAITING)

    def start_soon(self, job: Job) -> None:
        """Have something done. It sees to its own failures: an error that it raises ends the node.

        Raises Refusal for who asks while the node ends: calls come in until its doors are closed; and where as much
        waits as may, which takes a client that asks hundreds of times in one breath.
        """
        try:
            self._send.send_nowait(job)
        except anyio.ClosedResourceError:
            raise Refusal(Code.UNAVAILABLE, "the node is stopping: ask again when it has started") from None
        except anyio.WouldBlock:
            raise Refusal(Code.RESOURCE_EXHAUSTED, "too much is asked of the node at once: ask again") from None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Do what is left here, until cancelled."""
        with self._send, self._receive:
            async with anyio.create_task_group() as tasks:
                task_status.started()
                async for job in self._receive:
                    tasks.start_soon(job)
