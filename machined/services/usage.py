"""machine.MachineService's questions after the machine: load, memory, processors, devices, disks, mounts, processes.

Each is answered from /proc and /sys in a worker thread. The machine is the one that the node runs on; but of its
processes only the node's own are shown, because the others are somebody else's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import anyio
from anyio import to_thread
from google.protobuf.message import Message

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, Unary, frame
from machined.services.machine import NAME
from talos._pb.machine import machine_pb2
from talos.procfs import devices, mounts, processes, processors, system
from talos.procfs.reading import read, text

THREADS: Final = 4
"""How many answers are made at once: however many clients ask, the node's own work finds threads."""


class UsageService:
    """The methods on bytes. `root` is the directory that has `proc` and `sys`."""

    def __init__(self, root: Path) -> None:
        self._limiter = anyio.CapacityLimiter(THREADS)
        answers: Mapping[str, tuple[Path, Callable[[Path], Message]]] = {
            "CPUFreqStats": (root / "sys/devices/system/cpu", _cpu_freq_stats),
            "CPUInfo": (root / "proc/cpuinfo", _cpu_info),
            "DiskStats": (root / "proc/diskstats", _disk_stats),
            "LoadAvg": (root / "proc/loadavg", _load_avg),
            "Memory": (root / "proc/meminfo", _memory),
            "Mounts": (root / "proc/mounts", _mounts),
            "NetworkDeviceStats": (root / "proc/net/dev", _network_device_stats),
            "Processes": (root / "proc", _processes),
            "SystemStat": (root / "proc/stat", _system_stat),
        }
        self.service = Service(NAME, {method: self._unary(*answer) for method, answer in answers.items()})

    def _unary(self, source: Path, answer: Callable[[Path], Message]) -> Unary:
        async def handler(_: bytes, __: Call) -> Frames:
            try:
                message = await to_thread.run_sync(answer, source, limiter=self._limiter)
            except OSError as error:
                raise _untold(f"{source}: {error.strerror}") from None
            except ValueError as error:
                raise _untold(f"{source} is not as Linux writes it: {error}") from None
            return frame(message.SerializeToString())

        return handler


def _untold(problem: str) -> Refusal:
    return Refusal(Code.FAILED_PRECONDITION, f"this machine does not tell: {problem}")


def _cpu_freq_stats(directory: Path) -> Message:
    stats = processors.frequencies(directory)
    return machine_pb2.CPUFreqStatsResponse(messages=[machine_pb2.CPUsFreqStats(cpu_freq_stats=stats)])


def _cpu_info(file: Path) -> Message:
    info = processors.processors(text(read(file)))
    return machine_pb2.CPUInfoResponse(messages=[machine_pb2.CPUsInfo(cpu_info=info)])


def _disk_stats(file: Path) -> Message:
    return machine_pb2.DiskStatsResponse(messages=[devices.disks(text(read(file)))])


def _load_avg(file: Path) -> Message:
    return machine_pb2.LoadAvgResponse(messages=[system.load_average(text(read(file)))])


def _memory(file: Path) -> Message:
    return machine_pb2.MemoryResponse(messages=[machine_pb2.Memory(meminfo=system.memory(text(read(file))))])


def _mounts(file: Path) -> Message:
    return machine_pb2.MountsResponse(messages=[machine_pb2.Mounts(stats=mounts.mounts(read(file)))])


def _network_device_stats(file: Path) -> Message:
    return machine_pb2.NetworkDeviceStatsResponse(messages=[devices.network_devices(text(read(file)))])


def _processes(proc: Path) -> Message:
    own = processes.processes(proc, os.getpid())
    return machine_pb2.ProcessesResponse(messages=[machine_pb2.Process(processes=own)])


def _system_stat(file: Path) -> Message:
    return machine_pb2.SystemStatResponse(messages=[system.system_stat(text(read(file)))])
