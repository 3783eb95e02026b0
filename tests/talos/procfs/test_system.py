"""Load, memory and processor times are read as the kernel writes them, in Talos's units."""

import hypothesis
import pytest
from hypothesis import strategies

from talos._pb.machine import machine_pb2
from talos.procfs.system import load_average, memory, system_stat

STAT = """\
cpu  221729 10605 32853 330989 2700 7 1791 8451 3 1
cpu0 94170 4566 14788 185584 814 0 360 4246 0 0
cpu2 127559 6039 18064 145404 1885 0 1430 4204 0 0
intr 1822855 0 9 0 25
ctxt 3868741
btime 1795898408
processes 66067
procs_running 6
procs_blocked 1
softirq 1880359 0 193826 4 677137 340867 5 4 210903 3474 454144
a_line_of_tomorrow 1 2 3
"""

MEMINFO = """\
MemTotal:       24684092 kB
MemFree:        22262412 kB
Active(anon):       1568 kB
SReclaimable:     210904 kB
NFS_Unstable:          3 kB
Committed_AS:     417216 kB
HugePages_Total:       4
Hugepagesize:       2048 kB
DirectMap4k:       28672 kB
DirectMap1G:    25165824 kB
Balloon:               0 kB
"""


def test_the_load_is_that_of_three_spans() -> None:
    load = load_average("4.22 4.87 3.79 6/412 29492\n")

    assert (load.load1, load.load5, load.load15) == (4.22, 4.87, 3.79)


def test_memory_is_in_the_fields_of_its_names() -> None:
    info = memory(MEMINFO)

    assert info == machine_pb2.MemInfo(
        memtotal=24684092, memfree=22262412, activeanon=1568, sreclaimable=210904, nfsunstable=3,
        committedas=417216, hugepagestotal=4, hugepagesize=2048, directmap4k=28672, directmap1g=25165824,
    )  # fmt: skip


def test_times_are_in_seconds_and_a_processor_that_is_off_has_a_place() -> None:
    stat = system_stat(STAT)

    assert (stat.cpu_total.user, stat.cpu_total.iowait, stat.cpu_total.guest_nice) == (2217.29, 27.0, 0.01)
    assert [cpu.user for cpu in stat.cpu] == [941.7, 0, 1275.59]


def test_counts_are_counts() -> None:
    stat = system_stat(STAT)

    assert (stat.boot_time, stat.context_switches, stat.process_created) == (1795898408, 3868741, 66067)
    assert (stat.process_running, stat.process_blocked) == (6, 1)
    assert (stat.irq_total, list(stat.irq)) == (1822855, [0, 9, 0, 25])
    assert (stat.soft_irq_total, stat.soft_irq.timer, stat.soft_irq.block_io_poll) == (1880359, 193826, 5)
    assert stat.soft_irq.rcu == 454144


@pytest.mark.parametrize(
    "text", ["cpu x", "cpu8192 1", "cpu-1 1", "cpu00x 1", "ctxt -1", f"btime {1 << 64}", "intr 1 x", "softirq 1 x"]
)
def test_what_the_kernel_would_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        system_stat(text)


@pytest.mark.parametrize("text", ["", "1.0 2.0", "a b c"])
def test_a_load_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        load_average(text)


WORDS = strategies.sampled_from(
    ["cpu", "cpu1", "intr", "softirq", "btime", "MemTotal:", "Active(anon):", "7", "-1", "x"]
)


@hypothesis.given(strategies.lists(strategies.lists(WORDS | strategies.text(max_size=5), max_size=14), max_size=6))
def test_any_text_is_read_or_refused(lines: list[list[str]]) -> None:
    text = "\n".join(map(" ".join, lines))
    for parse in (load_average, memory, system_stat):
        try:
            parse(text)
        except ValueError:
            continue
