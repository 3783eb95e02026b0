"""A fault is one rule that an extension breaks, told so that its author can fix it."""

from collections.abc import Sequence

import msgspec

MAX_FAULTS = 100  # an image with more is not read by anyone to the end


class Fault(msgspec.Struct, frozen=True):
    """One broken rule."""

    rule: str  # a stable id in kebab-case, such as path-not-allowed
    path: str  # in the image, or empty where no single file is at fault
    problem: str
    remedy: str
    layer: str = ""  # the layer's digest, where a single layer is at fault

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        inside = f" (in layer {self.layer})" if self.layer else ""
        return f"{where}{self.problem}; {self.remedy}{inside} [{self.rule}]"


def summary(faults: Sequence[Fault]) -> str:
    """Return the first fault and how many more there are, in one line; empty where there is none."""
    if not faults:
        return ""
    fault = faults[0]
    first = f"{fault.rule}: {fault.path}: {fault.problem}" if fault.path else f"{fault.rule}: {fault.problem}"
    return first if len(faults) == 1 else f"{first} (and {len(faults) - 1} more)"
