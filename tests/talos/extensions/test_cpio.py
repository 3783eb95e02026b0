"""The cpio archives written here are those that cpio(1) reads, and reading damaged ones ends in one clear error."""

import io
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.cpio import MAX_FILE_BYTES, CpioFault, CpioReader, CpioWriter
from tests.programs import needed


def sample() -> bytes:
    target = io.BytesIO()
    writer = CpioWriter(target)
    writer.directory("usr")
    writer.file("usr/program", 5, [b"he", b"llo"], mode=0o755)
    writer.symlink("usr/link", "program")
    writer.file("usr/empty", 0, [])
    writer.end()
    return target.getvalue()


def test_cpio_lists_what_was_written() -> None:
    command = [needed("cpio"), "-itvn", "--quiet"]
    listed = subprocess.run(command, input=sample(), capture_output=True, check=True, text=False).stdout.decode()

    lines = [line.split() for line in listed.splitlines()]
    assert [(each[0], each[1], each[2], each[3], each[4]) for each in lines] == [
        ("drwxr-xr-x", "2", "0", "0", "0"),
        ("-rwxr-xr-x", "1", "0", "0", "5"),
        ("lrwxrwxrwx", "1", "0", "0", "7"),
        ("-rw-r--r--", "1", "0", "0", "0"),
    ]


def test_an_archive_is_read_back() -> None:
    reader = CpioReader(io.BytesIO(sample()))

    assert [(entry.path, oct(entry.mode), b"".join(reader.data())) for entry in reader] == [
        ("usr", "0o40755", b""),
        ("usr/program", "0o100755", b"hello"),
        ("usr/link", "0o120777", b"program"),
        ("usr/empty", "0o100644", b""),
    ]


@pytest.mark.parametrize(("size", "problem"), [(MAX_FILE_BYTES + 1, "at most"), (4, "was to have 4 bytes and has 3")])
def test_a_file_that_does_not_fit_is_refused(size: int, problem: str) -> None:
    with pytest.raises(CpioFault, match=problem):
        CpioWriter(io.BytesIO()).file("x", size, [b"abc"])


@pytest.mark.parametrize("number", [b"-0000001", b"+0000001", b"0_000001", b"0000001g"])
def test_a_size_that_is_no_number_is_refused(number: bytes) -> None:
    raw = bytearray(sample())
    raw[54:62] = number

    with pytest.raises(CpioFault, match="no number"):
        next(iter(CpioReader(io.BytesIO(bytes(raw)))))


@given(st.integers(0, len(sample()) - 1), st.binary(max_size=16))
def test_damage_is_a_fault_or_another_archive(at: int, damage: bytes) -> None:
    raw = sample()
    reader = CpioReader(io.BytesIO(raw[:at] + damage + raw[at + len(damage) :]))
    try:
        for _ in reader:
            assert sum(map(len, reader.data())) <= len(raw)
    except CpioFault:
        pass


@given(st.integers(0, len(sample()) - 600))
def test_a_cut_archive_is_a_fault(length: int) -> None:
    with pytest.raises(CpioFault, match="ends early"):
        for _ in CpioReader(io.BytesIO(sample()[:length])):
            pass
