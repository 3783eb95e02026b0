"""A controller declares what it reads and what it writes, and makes its outputs true whenever an input changed.

    class Shout(Controller):
        name = "example.Shout"
        inputs = (weak(Greeting),)
        outputs = (exclusive(Shouted),)

        async def run(self, runtime: Runtime) -> None:
            async for _ in runtime.reconcile():
                async with runtime.tracked_outputs(Shouted):
                    for greeting in await runtime.list(Greeting):
                        await runtime.modify(Shouted.new(greeting.id, ShoutedSpec(text=greeting.spec.text.upper())))

It is told *that* something changed, not what: each reconcile reads the state afresh, so missing or repeated wake-ups do
no harm. A controller that raises is restarted with backoff; one cut off at any await simply runs again. Whoever looks
at one resource at a time wants a QController (cosi.controller.qcontroller), which says how the two differ. Faithful to
the Go runtime's pkg/controller.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cosi.controller.dependencies import Input, Output

if TYPE_CHECKING:
    from cosi.controller.runtime import Runtime


class Controller(abc.ABC):
    """The base of controllers that see all their inputs in each reconcile.

    `name` is unique in an engine and is the owner of what the controller writes. Inputs are weak, strong or
    destroy-ready.
    """

    name: str
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()

    @abc.abstractmethod
    async def run(self, runtime: Runtime) -> None:
        """Reconcile until cancelled. Returning means there is nothing left to do, ever."""
