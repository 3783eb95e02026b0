"""How busy the machine is: its load (/proc/loadavg), its memory (meminfo), and what its processors did (stat).

Values, and the units that the kernel gives them in, are Talos's (v1alpha1_monitoring.go): kibibytes of memory, seconds
of processor time, interrupts as counts. Lines that nobody knows are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from talos._pb.machine import machine_pb2

TICKS_PER_SECOND: Final = 100
"""The unit of processor times in /proc, on every architecture that Talos runs on."""

MAX_PROCESSORS: Final = 8192
"""As many as Linux can be built for; the message has a place for each number up to the highest."""

_TIMES: Final = (
    "user", "nice", "system", "idle", "iowait", "irq", "soft_irq", "steal", "guest", "guest_nice",
)  # fmt: skip
_SOFT_IRQS: Final = (
    "hi", "timer", "net_tx", "net_rx", "block", "block_io_poll", "tasklet", "sched", "hrtimer", "rcu",
)  # fmt: skip
_COUNTS: Final = {
    "btime": "boot_time",
    "ctxt": "context_switches",
    "processes": "process_created",
    "procs_running": "process_running",
    "procs_blocked": "process_blocked",
}
_MEMORY: Final = frozenset(machine_pb2.MemInfo.DESCRIPTOR.fields_by_name)


def load_average(text: str) -> machine_pb2.LoadAvg:
    """Return the load of the last minute, five, and fifteen. Raises ValueError."""
    loads = text.split()[:3]
    if len(loads) < 3:
        raise ValueError("there are three averages in loadavg, and these are fewer")
    one, five, fifteen = map(float, loads)
    return machine_pb2.LoadAvg(load1=one, load5=five, load15=fifteen)


def memory(text: str) -> machine_pb2.MemInfo:
    """Return what of meminfo Talos knows; what is missing is 0. Raises ValueError."""
    # Talos's names of the fields are the kernel's without all that is no letter and no digit.
    info = machine_pb2.MemInfo()
    for line in text.splitlines():
        key, _, value = line.partition(":")
        name = "".join(filter(str.isalnum, key)).lower()
        if name in _MEMORY and (words := value.split()):
            setattr(info, name, int(words[0]))
    return info


def system_stat(text: str) -> machine_pb2.SystemStat:
    """Return what stat says of the time since the machine started. Raises ValueError."""
    stat = machine_pb2.SystemStat(cpu_total=machine_pb2.CPUStat(), soft_irq=machine_pb2.SoftIRQStat())
    processors: dict[int, machine_pb2.CPUStat] = {}
    for line in text.splitlines():
        key, *words = line.split() or [""]
        if not words:
            continue
        if key in _COUNTS:
            setattr(stat, _COUNTS[key], int(words[0]))
        elif key == "intr":
            stat.irq_total = int(words[0])
            stat.irq.extend(map(int, words[1:]))
        elif key == "softirq":
            stat.soft_irq_total = int(words[0])
            stat.soft_irq.CopyFrom(machine_pb2.SoftIRQStat(**dict(zip(_SOFT_IRQS, map(int, words[1:]), strict=False))))
        elif key == "cpu":
            stat.cpu_total.CopyFrom(_times(words))
        elif key.startswith("cpu"):
            processors[_processor(key)] = _times(words)
    # One that is switched off has a place and no times, as on Talos.
    stat.cpu.extend(processors.get(each, machine_pb2.CPUStat()) for each in range(max(processors, default=-1) + 1))
    return stat


def _times(words: Sequence[str]) -> machine_pb2.CPUStat:
    seconds = (int(word) / TICKS_PER_SECOND for word in words)
    return machine_pb2.CPUStat(**dict(zip(_TIMES, seconds, strict=False)))


def _processor(key: str) -> int:
    number = int(key.removeprefix("cpu"))
    if not 0 <= number < MAX_PROCESSORS:
        raise ValueError(f"there is no processor {number}: Linux knows {MAX_PROCESSORS} at most")
    return number
