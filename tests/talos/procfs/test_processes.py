"""A process is shown with all that it has started, and with nobody else's."""

import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies

from talos.procfs.processes import ARGUMENTS_BYTES, parse_stat, processes

STAT = "{pid} ({command}) S {parent} 1 1 0 -1 4194560 1 2 3 4 150 50 7 8 20 0 3 0 9 1048576 12 18446744073709551615"


def add(proc: Path, pid: int, parent: int, *, command: str = "sample", arguments: bytes = b"sample\0--now\0") -> Path:
    """Put a process down."""
    directory = proc / str(pid)
    (directory / "attr").mkdir(parents=True)
    (directory / "stat").write_text(STAT.format(pid=pid, command=command, parent=parent))
    (directory / "comm").write_text(f"{command}\n")
    (directory / "cmdline").write_bytes(arguments)
    (directory / "exe").symlink_to("/usr/bin/sample")
    (directory / "attr/current").write_bytes(b"unconfined\0\n")
    return directory


def test_a_process_has_talos_fields_and_units(tmp_path: Path) -> None:
    add(tmp_path, 7, 1)

    (only,) = processes(tmp_path, 7)

    assert (only.pid, only.ppid, only.state, only.threads, only.cpu_time) == (7, 1, "S", 3, 2.0)
    assert (only.virtual_memory, only.resident_memory) == (1048576, 12 * os.sysconf("SC_PAGE_SIZE"))
    assert (only.command, only.executable, only.args) == ("sample", "/usr/bin/sample", "sample --now")
    assert only.label == "unconfined"


def test_descendants_are_shown_and_strangers_are_not(tmp_path: Path) -> None:
    for pid, parent in [(1, 0), (7, 1), (8, 7), (9, 8), (10, 1), (11, 10)]:
        add(tmp_path, pid, parent)
    (tmp_path / "self").mkdir()

    assert [each.pid for each in processes(tmp_path, 7)] == [7, 8, 9]


def test_processes_that_seem_to_descend_from_each_other_end(tmp_path: Path) -> None:
    add(tmp_path, 7, 8)
    add(tmp_path, 8, 7)

    assert [each.pid for each in processes(tmp_path, 7)] == [7, 8]


def test_a_process_that_is_gone_is_left_out(tmp_path: Path) -> None:
    add(tmp_path, 7, 1)
    (add(tmp_path, 8, 7) / "exe").unlink()
    (add(tmp_path, 9, 7) / "stat").unlink()

    assert [each.pid for each in processes(tmp_path, 7)] == [7]
    assert processes(tmp_path, 12) == []


def test_a_name_may_have_anything_in_it(tmp_path: Path) -> None:
    add(tmp_path, 7, 1, command="a) S (b", arguments=b"\xff" * 2 * ARGUMENTS_BYTES)

    (only,) = processes(tmp_path, 7)

    assert (only.command, only.state, len(only.args)) == ("a) S (b", "S", ARGUMENTS_BYTES)


def test_arguments_of_nothing_but_spaces_are_none(tmp_path: Path) -> None:
    add(tmp_path, 7, 1, arguments=b" \0\0 \0")

    assert processes(tmp_path, 7)[0].args == ""


def test_this_process_and_its_child_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as child:
        found = {each.pid: each for each in processes(Path("/proc"), os.getpid())}
        child.communicate("\n")

    assert found[child.pid].ppid == os.getpid()
    assert found[os.getpid()].resident_memory > 0


def test_a_machine_without_proc_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes(tmp_path / "proc", 1)


@hypothesis.given(
    strategies.binary(max_size=80) | strategies.lists(strategies.integers()).map(lambda n: f") {n}".encode())
)
def test_any_stat_is_read_or_refused(content: bytes) -> None:
    try:
        parse_stat(content)
    except ValueError:
        return
