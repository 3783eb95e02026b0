"""What was measured, as a reader wants it: medians of all rounds, and medians of the ratios within a round."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.transport.metering import Figures
from benchmarks.transport.server import Column

Rounds = Sequence[Figures]
Report = dict[str, dict[str, float]]
"""Values and ratios by figure."""


def report(taken: Mapping[Column, Rounds], plain: Mapping[Column, Rounds]) -> Report:
    """Return one workload's figures, and their ratios to grpcio's and to those of a plainer workload, if any."""
    found: Report = {}
    for column, rounds in taken.items():
        for figure in rounds[0]:
            values = found.setdefault(figure, {})
            values[column] = _rounded(statistics.median(one[figure] for one in rounds))
            if column is not Column.GRPCIO and Column.GRPCIO in taken:
                values[f"{column}/{Column.GRPCIO}"] = _ratio(figure, rounds, taken[Column.GRPCIO])
            if column in plain:
                values[f"{column}/plain"] = _ratio(figure, rounds, plain[column])
    return found


def _ratio(figure: str, rounds: Rounds, others: Rounds) -> float:
    pairs = zip(rounds, others, strict=True)
    return _rounded(statistics.median(one[figure] / other[figure] for one, other in pairs))


def _rounded(value: float) -> float:
    """Keep three digits: the next one is noise."""
    return float(f"{value:.3g}")
