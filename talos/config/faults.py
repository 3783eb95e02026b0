"""What is wrong with a machine config, told so that its author can fix it: which line, which field, what to do."""

import msgspec


class ConfigFault(msgspec.Struct, frozen=True):
    """One thing wrong with a machine config."""

    line: int  # counted from 1
    path: str  # such as `machine.install.extensions[1].imgae`; empty where the fault is the whole text
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"line {self.line}: {self.path}: " if self.path else f"line {self.line}: "
        return f"{where}{self.problem}; {self.remedy}"


class ConfigError(Exception):
    """The machine config has faults; `faults` lists all of them in the order of their lines.

    `line`, `path`, `problem` and `remedy` are those of the first. The message is one line and names that one.
    """

    def __init__(self, source: str, faults: tuple[ConfigFault, ...]) -> None:
        self.source = source
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        first = self.faults[0]
        self.line = first.line
        self.path = first.path
        self.problem = first.problem
        self.remedy = first.remedy
        others = len(self.faults) - 1
        more = f" (and {others} more {'fault' if others == 1 else 'faults'})" if others else ""
        super().__init__(f"{source}: {first}{more}")
