"""What went through the machine's network devices (/proc/net/dev) and disks (/proc/diskstats), and through all of them.

Columns, and what the sums are of, are Talos's (v1alpha1_monitoring.go): bytes and packets; sectors and milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from talos._pb.machine import machine_pb2

_NETWORK: Final = (
    "rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "rx_fifo", "rx_frame", "rx_compressed", "rx_multicast",
    "tx_bytes", "tx_packets", "tx_errors", "tx_dropped", "tx_fifo", "tx_collisions", "tx_carrier", "tx_compressed",
)  # fmt: skip
_DISK: Final = (
    "read_completed", "read_merged", "read_sectors", "read_time_ms",
    "write_completed", "write_merged", "write_sectors", "write_time_ms",
    "io_in_progress", "io_time_ms", "io_time_weighted_ms",
    "discard_completed", "discard_merged", "discard_sectors", "discard_time_ms",
)  # fmt: skip
_NETWORK_HEAD_LINES: Final = 2
_DISK_NUMBERS: Final = 2
"""Major and minor number come before a disk's name."""


def network_devices(text: str) -> machine_pb2.NetworkDeviceStats:
    """Return what each device received and sent; the sum bears all their names. Raises ValueError."""
    stats = machine_pb2.NetworkDeviceStats(total=machine_pb2.NetDev())
    for line in text.splitlines()[_NETWORK_HEAD_LINES:]:
        name, colon, numbers = line.rpartition(":")  # a device's name may have a colon in it
        values = numbers.split()
        if colon and len(values) >= len(_NETWORK):
            columns = dict(zip(_NETWORK, map(int, values), strict=False))
            stats.devices.append(machine_pb2.NetDev(name=name.strip(), **columns))
    _add_up(stats.total, stats.devices, _NETWORK)
    stats.total.name = ", ".join(sorted(device.name for device in stats.devices))
    return stats


def disks(text: str) -> machine_pb2.DiskStats:
    """Return what each disk and partition read, wrote and discarded. Raises ValueError."""
    # Kernels before 4.18 don't count what is discarded; such lines are left out, as on Talos.
    stats = machine_pb2.DiskStats(total=machine_pb2.DiskStat())
    for line in text.splitlines():
        words = line.split()[_DISK_NUMBERS:]
        if len(words) > len(_DISK):
            columns = dict(zip(_DISK, map(int, words[1:]), strict=False))
            stats.devices.append(machine_pb2.DiskStat(name=words[0], **columns))
    _add_up(stats.total, stats.devices, _DISK)
    return stats


def _add_up(
    total: machine_pb2.NetDev | machine_pb2.DiskStat,
    devices: Iterable[machine_pb2.NetDev] | Iterable[machine_pb2.DiskStat],
    columns: Iterable[str],
) -> None:
    for device in devices:
        for column in columns:
            setattr(total, column, (getattr(total, column) + getattr(device, column)) % (1 << 64))
