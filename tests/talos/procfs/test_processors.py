"""Processors are listed with what the kernel says of them, on x86 and on ARM."""

from pathlib import Path

from talos._pb.machine import machine_pb2
from talos.procfs.processors import frequencies, processors

X86 = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 1
model name	: AMD EPYC
stepping	: 1
microcode	: 0x1000065
cpu MHz		: 2445.428
cache size	: 512 KB
physical id	: 0
siblings	: 2
core id		: 0
cpu cores	: 2
apicid		: 0
initial apicid	: 0
fpu		: yes
fpu_exception	: yes
cpuid level	: 13
wp		: yes
flags		: fpu vme de
bugs		: spectre_v1 spectre_v2
bogomips	: 4890.85
TLB size	: 2560 4K pages
clflush size	: 64
cache_alignment	: 64
address sizes	: 48 bits physical, 48 bits virtual
power management:

processor	: 1
vendor_id	: AuthenticAMD
"""

ARM = """\
processor	: 0
BogoMIPS	: 48.00
Features	: fp asimd evtstrm
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1
"""


def test_all_that_x86_tells_of_a_processor_is_shown() -> None:
    first, second = processors(X86)

    assert first == machine_pb2.CPUInfo(
        processor=0, vendor_id="AuthenticAMD", cpu_family="25", model="1", model_name="AMD EPYC", stepping="1",
        microcode="0x1000065", cpu_mhz=2445.428, cache_size="512 KB", physical_id="0", siblings=2, core_id="0",
        cpu_cores=2, apic_id="0", initial_apic_id="0", fpu="yes", fpu_exception="yes", cpu_id_level=13, wp="yes",
        flags=["fpu", "vme", "de"], bugs=["spectre_v1", "spectre_v2"], bogo_mips=4890.85, cl_flush_size=64,
        cache_alignment=64, address_sizes="48 bits physical, 48 bits virtual", power_management="",
    )  # fmt: skip
    assert (second.processor, second.vendor_id) == (1, "AuthenticAMD")


def test_arm_has_other_names_for_it() -> None:
    (only,) = processors(ARM)

    assert (only.vendor_id, only.model, only.stepping, only.bogo_mips) == ("0x41", "0xd0c", "1", 48.0)
    assert list(only.flags) == ["fp", "asimd", "evtstrm"]


def test_what_comes_before_a_processor_is_none() -> None:
    assert processors("model name: somebody's\n") == []


def test_frequencies_are_in_the_order_of_the_processors_and_empty_where_they_are_not_told(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        (tmp_path / f"cpu{number}").mkdir()
    (tmp_path / "cpufreq").mkdir()
    told = tmp_path / "cpu2/cpufreq"
    told.mkdir()
    for name, value in {
        "cpuinfo_cur_freq": "2000000", "cpuinfo_min_freq": "1000000", "cpuinfo_max_freq": "3000000",
        "scaling_governor": "performance",
    }.items():  # fmt: skip
        (told / name).write_text(f"{value}\n")

    shown = frequencies(tmp_path)

    full = machine_pb2.CPUFreqStats(
        current_frequency=2000000, minimum_frequency=1000000, maximum_frequency=3000000, governor="performance"
    )
    assert list(shown) == [machine_pb2.CPUFreqStats(), full, machine_pb2.CPUFreqStats()]


def test_a_machine_that_tells_of_no_frequencies_has_none(tmp_path: Path) -> None:
    assert frequencies(tmp_path / "nowhere") == []
