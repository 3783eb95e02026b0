"""A controller with a queue: it is told *which* resource changed, and reconciles one at a time.

    class Shout(QController):
        name = "example.Shout"
        inputs = (primary(Greeting),)
        outputs = (exclusive(Shouted),)

        async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
            greeting = await runtime.find(Greeting, item.id)
            ...

How the two kinds of controllers differ:

    Controller                                       QController
    one signal: something changed                    a queue of pointers: this one changed
    sees all inputs in each reconcile                sees one item; others go on beside it, `concurrency` at once
    fails as a whole, restarted with backoff         an item fails alone, and is retried with a backoff of its own
    removes outputs it did not touch                 holds finalizers on its inputs to know when to remove outputs
    can be woken from outside (a file, a socket)     wakes by resources, or by itself (`requeue_after`, `run_hook`)

At the start the queue holds every resource of the primary inputs. An item is in the queue once, however often it
changes, and never reconciled twice at once: what changes while it is being reconciled is reconciled again afterwards.
No event kinds reach a controller: it reads the state, and a resource that is gone is one it does not find.

A change of a mapped input passes the same queue, and becomes the items that `map_input` names; whoever maps and fails
is tried again like any item. Faithful to QController of the Go runtime (pkg/controller/qcontroller.go).
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cosi.controller.dependencies import Input, Output
from cosi.resource.metadata import Metadata, Pointer

if TYPE_CHECKING:
    from cosi.controller.qruntime import QRuntime


class QController(abc.ABC):
    """The base of controllers that see one resource in each reconcile.

    `name` is unique in an engine and is the owner of what the controller writes. Inputs are primary, mapped or
    mapped-destroy-ready. `concurrency` items are reconciled at once.
    """

    name: str
    inputs: Sequence[Input] = ()
    outputs: Sequence[Output] = ()
    concurrency: int = 1

    @abc.abstractmethod
    async def reconcile(self, runtime: QRuntime, item: Pointer) -> None:
        """Make true what depends on one resource of a primary input, which may be gone by now.

        Whatever this raises puts the item back into the queue, later each time; Skip does not.
        """

    async def map_input(self, runtime: QRuntime, changed: Metadata) -> Iterable[Pointer]:
        """Return the items (of primary inputs) that a changed resource of a mapped input concerns.

        `changed` is its metadata as it last was; it may be gone by now. Raising is as in `reconcile`.
        """
        raise NotImplementedError(f"controller {self.name} has mapped inputs and must say what they map to")

    async def run_hook(self, runtime: QRuntime) -> None:  # noqa: B027 - most have none
        """Run beside the queue for as long as the controller runs; restarted with backoff if it raises."""

    def shutdown_hook(self) -> None:  # noqa: B027 - most have none
        """Clean up after the last reconcile, when the controller stops for good."""
