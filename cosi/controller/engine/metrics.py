"""The engine's numbers in the text format that Prometheus reads, version 0.0.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosi.controller.counters import Counters
from cosi.state.metered import braces

_PREFIX: Final = "cosi_controller_"

_HELP: Final = {
    "wakeups": "Times that a controller was woken, or an item put into its queue.",
    "reconciles": "Reconciles begun.",
    "crashes": "Reconciles, maps and hooks that failed.",
    "skips": "Reconciles that found that nothing could be done.",
    "requeues": "Items put back because the controller asked for it.",
    "reads": "Reads of the state.",
    "writes": "Writes of the state, those included that changed nothing.",
    "mapped_in": "Changes of mapped inputs.",
    "mapped_out": "Items that they were mapped to.",
    "busy_seconds": "Time spent reconciling, all workers together.",
    "map_busy_seconds": "Time spent mapping, all workers together.",
}
_QUEUE_LENGTH_HELP: Final = "Items that wait in a controller's queue."


def render(counters: Mapping[str, Counters]) -> str:
    """Return the numbers of controllers by their names."""
    lines: list[str] = []
    for name, text in _HELP.items():
        lines += [f"# HELP {_PREFIX}{name}_total {text}", f"# TYPE {_PREFIX}{name}_total counter"]
        for controller, counted in sorted(counters.items()):
            lines.append(f"{_PREFIX}{name}_total{braces([('controller', controller)])} {getattr(counted, name)}")
    lines += [f"# HELP {_PREFIX}queue_length {_QUEUE_LENGTH_HELP}", f"# TYPE {_PREFIX}queue_length gauge"]
    for controller, counted in sorted(counters.items()):
        lines.append(f"{_PREFIX}queue_length{braces([('controller', controller)])} {counted.queue_length}")
    return "".join(f"{line}\n" for line in lines)
