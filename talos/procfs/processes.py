"""A process and all that it has started (/proc/PID), as Talos shows the processes of a machine.

Whatever else runs on the machine is nobody's business: on Talos the machine is the node, here the node is one program
among others. Processes come and go while they are read; one that is gone is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from talos._pb.machine import machine_pb2
from talos.procfs.reading import head, text
from talos.procfs.system import TICKS_PER_SECOND

MAX_SEEN: Final = 1 << 16
"""How many processes of the machine are looked at to find the descendants."""

MAX_SHOWN: Final = 2048
"""How many are shown: with all their arguments they fit into an answer that talosctl takes, of 32 MiB."""

STAT_BYTES: Final = 4096
ARGUMENTS_BYTES: Final = 4096


class Stat(NamedTuple):
    """What of a process's `stat` is shown; times are in ticks, resident memory in pages."""

    state: str
    parent: int
    ticks: int
    threads: int
    virtual_bytes: int
    resident_pages: int


def processes(proc: Path, ancestor: int) -> Sequence[machine_pb2.ProcessInfo]:
    """Return a process and its descendants, as they are now. Raises OSError if there is no /proc."""
    stats = {pid: stat for pid in _pids(proc) if (stat := _stat_of(proc / str(pid))) is not None}
    shown = (_process(proc / str(pid), pid, stats[pid]) for pid in _descendants(ancestor, stats))
    return [process for process in shown if process is not None]


def parse_stat(content: bytes) -> Stat:
    """Return what a process's `stat` says. Raises ValueError."""
    # The name is in parentheses and may have some of its own, and spaces.
    fields = content.rpartition(b")")[2].split()
    if len(fields) < 22:
        raise ValueError("too few fields")
    return Stat(
        text(fields[0]),
        parent=int(fields[1]),
        ticks=int(fields[11]) + int(fields[12]),
        threads=int(fields[17]),
        virtual_bytes=int(fields[20]),
        resident_pages=int(fields[21]),
    )


def _pids(proc: Path) -> Iterator[int]:
    with os.scandir(proc) as entries:
        seen = 0
        for entry in entries:
            if entry.name.isdecimal() and seen < MAX_SEEN:
                seen += 1
                yield int(entry.name)


def _stat_of(directory: Path) -> Stat | None:
    try:
        return parse_stat(head(directory / "stat", STAT_BYTES))
    except (OSError, ValueError):
        return None


def _descendants(ancestor: int, stats: Mapping[int, Stat]) -> Sequence[int]:
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    # A process whose number was given away meanwhile may seem to be its own ancestor: each is visited once.
    found = dict.fromkeys([ancestor] if ancestor in stats else [])
    for pid in (waiting := list(found)):
        new = [child for child in children.get(pid, ()) if child not in found]
        found.update(dict.fromkeys(new))
        waiting += new
        if len(found) >= MAX_SHOWN:
            break
    return sorted(found)[:MAX_SHOWN]


def _process(directory: Path, pid: int, stat: Stat) -> machine_pb2.ProcessInfo | None:
    try:
        executable = os.fsencode((directory / "exe").readlink())
        command = head(directory / "comm", STAT_BYTES).strip()
        arguments = head(directory / "cmdline", ARGUMENTS_BYTES).rstrip(b"\0").replace(b"\0", b" ")
        return machine_pb2.ProcessInfo(
            pid=pid,
            ppid=stat.parent,
            state=stat.state,
            threads=stat.threads,
            cpu_time=stat.ticks / TICKS_PER_SECOND,
            virtual_memory=stat.virtual_bytes,
            resident_memory=stat.resident_pages * os.sysconf("SC_PAGE_SIZE"),
            command=text(command),
            executable=text(executable),
            args=text(arguments).strip(),  # talosctl's dashboard crashes over arguments that are nothing but spaces
            label=_label(directory),
        )
    except (OSError, ValueError):
        return None


def _label(directory: Path) -> str:
    try:
        return text(head(directory / "attr/current", STAT_BYTES).strip(b"\0\n"))
    except OSError:
        return ""  # not every kernel has them
