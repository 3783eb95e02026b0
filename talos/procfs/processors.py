"""What processors the machine has (/proc/cpuinfo), and how fast they run (/sys/devices/system/cpu).

The keys are those of x86 and ARM, in whatever case a kernel writes them. Frequencies are in kilohertz; a processor of
which the kernel does not show all three has an empty place, as on Talos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from talos._pb.machine import machine_pb2
from talos.procfs.reading import read, text

CPUFREQ_BYTES: Final = 4096
"""Each of these files is a page at most."""

_WORDS: Final[Mapping[str, str]] = {
    "address sizes": "address_sizes",
    "apicid": "apic_id",
    "cache size": "cache_size",
    "core id": "core_id",
    "cpu family": "cpu_family",
    "cpu implementer": "vendor_id",
    "cpu part": "model",
    "cpu revision": "stepping",
    "fpu": "fpu",
    "fpu_exception": "fpu_exception",
    "initial apicid": "initial_apic_id",
    "microcode": "microcode",
    "model": "model",
    "model name": "model_name",
    "physical id": "physical_id",
    "power management": "power_management",
    "stepping": "stepping",
    "vendor_id": "vendor_id",
    "wp": "wp",
}
_INTEGERS: Final[Mapping[str, str]] = {
    "cache_alignment": "cache_alignment",
    "clflush size": "cl_flush_size",
    "cpu cores": "cpu_cores",
    "cpuid level": "cpu_id_level",
    "processor": "processor",
    "siblings": "siblings",
}
_NUMBERS: Final[Mapping[str, str]] = {"bogomips": "bogo_mips", "cpu mhz": "cpu_mhz"}
_LISTS: Final[Mapping[str, str]] = {"bugs": "bugs", "features": "flags", "flags": "flags"}


def processors(text: str) -> Sequence[machine_pb2.CPUInfo]:
    """Return what cpuinfo says of each processor. Raises ValueError."""
    found: list[machine_pb2.CPUInfo] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        key, value = key.strip().lower(), value.strip()
        # On ARM what all processors share may come behind the last of them, in a paragraph of its own.
        if key == "processor":
            found.append(machine_pb2.CPUInfo())
        if not (found and colon):
            continue
        if name := _WORDS.get(key):
            setattr(found[-1], name, value)
        elif value and (name := _INTEGERS.get(key)):
            setattr(found[-1], name, int(value))
        elif value and (name := _NUMBERS.get(key)):
            setattr(found[-1], name, float(value))
        elif name := _LISTS.get(key):
            getattr(found[-1], name).extend(value.split())
    return found


def frequencies(directory: Path) -> Sequence[machine_pb2.CPUFreqStats]:
    """Return how fast each processor under /sys/devices/system/cpu runs, by its number."""
    numbers = (each.name.removeprefix("cpu") for each in directory.glob("cpu[0-9]*"))
    return [
        _frequency(directory / f"cpu{number}/cpufreq") for number in sorted(filter(str.isdecimal, numbers), key=int)
    ]


def _frequency(directory: Path) -> machine_pb2.CPUFreqStats:
    def said(name: str) -> str:
        return text(read(directory / name, CPUFREQ_BYTES)).strip()

    try:
        return machine_pb2.CPUFreqStats(
            current_frequency=int(said("cpuinfo_cur_freq")),
            minimum_frequency=int(said("cpuinfo_min_freq")),
            maximum_frequency=int(said("cpuinfo_max_freq")),
            governor=said("scaling_governor"),
        )
    except (OSError, ValueError):
        return machine_pb2.CPUFreqStats()
