"""What a queue controller holds while it reconciles one item: the state, as far as it declared.

Each item that is reconciled at the same time as others has a runtime of its own, so that writes and requeues are put
down to the right one.
"""

from __future__ import annotations

from cosi.controller.declared import DeclaredState, View


class QRuntime(DeclaredState):
    """A queue controller's view of the state. The engine makes one for each worker; see `cosi.controller.engine`."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.requeue_seconds: float | None = None
        """When to look at the item again, if the controller asked for it; the engine's to read and reset."""

    def requeue_after(self, seconds: float) -> None:
        """Reconcile this item again so much later, unless it changes before.

        If the reconcile fails after this, it is retried then instead of with backoff. Raises ValueError if `seconds`
        is not positive.
        """
        if not seconds > 0:
            raise ValueError(f"an item is requeued after a positive number of seconds, not {seconds}")
        self.requeue_seconds = seconds
