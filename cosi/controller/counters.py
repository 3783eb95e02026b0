"""What the engine counts of each controller; `cosi.controller.engine.metrics` shows it to Prometheus."""

from __future__ import annotations


class Counters:
    """The numbers of one controller. They only go up, but for `queue_length`."""

    __slots__ = (
        "busy_seconds",
        "crashes",
        "map_busy_seconds",
        "mapped_in",
        "mapped_out",
        "queue_length",
        "reads",
        "reconciles",
        "requeues",
        "skips",
        "wakeups",
        "writes",
    )

    def __init__(self) -> None:
        self.wakeups = 0
        """Times that something woke the controller while it was not woken already; a queue controller's items."""
        self.reconciles = 0
        self.crashes = 0
        """Reconciles, maps and hooks that raised."""
        self.skips = 0
        self.requeues = 0
        """Items put back because the controller asked for it, failures not included."""
        self.reads = 0
        self.writes = 0
        """Calls that write, whether they found something to change or not."""
        self.mapped_in = 0
        self.mapped_out = 0
        self.busy_seconds = 0.0
        """Time between the beginnings and the ends of reconciles, of all workers together."""
        self.map_busy_seconds = 0.0
        self.queue_length = 0
