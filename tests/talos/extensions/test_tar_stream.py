"""Archives are read as the standard library reads them, and hostile ones are refused in bounded memory."""

import contextlib
import io
import tarfile
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.tar_stream import MAX_EXTENSION_BYTES, MAX_TRAILING_BYTES, Kind, Member, TarFault, TarReader
from tests.talos.extensions.archives import archive, directory, file, hardlink, symlink


def read(content: bytes) -> list[tuple[Member, bytes]]:
    reader = TarReader(io.BytesIO(content))
    return [(member, b"".join(reader.data())) for member in reader]


def rule_of(content: bytes) -> str:
    with pytest.raises(TarFault) as caught:
        read(content)
    return caught.value.rule


def header(path: str, *, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def test_members_come_with_their_data() -> None:
    content = archive(directory("d"), file("d/f", b"x" * 1000, mode=0o755), symlink("d/s", "f"), hardlink("d/h", "d/f"))

    assert read(content) == [
        (Member(Kind.DIRECTORY, "d/", 0o755, 0, ""), b""),
        (Member(Kind.FILE, "d/f", 0o755, 1000, ""), b"x" * 1000),
        (Member(Kind.SYMLINK, "d/s", 0o644, 0, "f"), b""),
        (Member(Kind.HARDLINK, "d/h", 0o644, 0, "d/f"), b""),
    ]


def test_data_that_nobody_wants_is_passed_over() -> None:
    reader = TarReader(io.BytesIO(archive(file("a", b"x" * 10_000), file("b"))))

    assert [member.path for member in reader] == ["a", "b"]


names = st.text(st.characters(codec="utf-8", exclude_characters="\0/\n"), min_size=1)
paths = st.lists(names, min_size=1, max_size=30).map("/".join)


@given(
    st.lists(st.tuples(paths, st.binary(max_size=2000)), max_size=5),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_what_the_standard_library_writes_is_read(files: list[tuple[str, bytes]], dialect: int) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=dialect, encoding="utf-8") as writer:
        for path, content in files:
            info, data = file(path, content)
            writer.addfile(info, io.BytesIO(data))

    assert [(member.path, data) for member, data in read(buffer.getvalue())] == files


def test_every_cut_is_noticed_but_one_after_a_members_last_byte() -> None:
    content = archive(file("a", b"x" * 600))

    for length in range(1, 3 * 512):
        if length == 512 + 600:
            assert [data for _, data in read(content[:length])] == [b"x" * 600]  # as umoci leaves them
        else:
            assert rule_of(content[:length]) == "layer-truncated"


def test_a_damaged_header_is_noticed() -> None:
    content = bytearray(archive(file("a")))
    content[3] ^= 1

    assert rule_of(bytes(content)) == "layer-malformed"


def test_an_extension_header_of_any_size_needs_no_memory() -> None:
    assert rule_of(header("x", kind=b"x", size=MAX_EXTENSION_BYTES + 1)) == "layer-bomb"
    assert rule_of(header("x", kind=b"L", size=2**40)) == "layer-bomb"


def test_extension_headers_without_end_are_refused() -> None:
    assert rule_of(header("x", kind=b"x") * 100) == "layer-malformed"


def test_zeros_after_the_end_are_padding_up_to_a_bound() -> None:
    content = archive(file("a"))

    assert len(read(content + bytes(MAX_TRAILING_BYTES // 2))) == 1
    assert rule_of(content + bytes(MAX_TRAILING_BYTES + 10_240)) == "layer-bomb"


def test_data_after_the_end_is_refused_because_other_readers_might_see_it() -> None:
    assert rule_of(archive(file("a")) + archive(file("b"))) == "layer-malformed"


@pytest.mark.parametrize("field", [b"\xff" * 12, b"99999999999\0", b"0x000000000\0", b"-0000000001\0"])
def test_a_size_that_is_no_number_is_refused(field: bytes) -> None:
    block = bytearray(header("a"))
    block[124:136] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)

    assert rule_of(bytes(block)) == "layer-malformed"


@pytest.mark.parametrize("size", ["-1024", "1_000", "٣", "9" * 30, "x"])
def test_a_pax_size_that_is_no_number_is_refused(size: str) -> None:
    info, content = file("a")
    info.pax_headers = {"size": size}

    assert rule_of(archive((info, content))) == "layer-malformed"


@pytest.mark.parametrize("record", [b"5 a=b\n", b"999 path=x\n", b"path=x\n", b"-1 a=b\n", b"8 path\n", b"11 path=xxx"])
def test_a_pax_record_that_lies_about_its_length_is_refused(record: bytes) -> None:
    content = header("x", kind=b"x", size=len(record)) + record.ljust(512, b"\0") + header("a") + bytes(1024)

    assert rule_of(content) == "layer-malformed"


def test_sparse_files_are_refused() -> None:
    assert rule_of(header("a", kind=b"S")) == "layer-malformed"


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    info, content = file("a")
    raw = bytearray(archive((info, content)))
    raw[0] = 0xFF
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw[:512])

    assert rule_of(bytes(raw)) == "path-encoding"


@given(st.binary(max_size=3000))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    stream: BinaryIO = io.BytesIO(content)
    with contextlib.suppress(TarFault):
        for _ in TarReader(stream):
            pass
