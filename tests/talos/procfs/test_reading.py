"""Files of the kernel are read whole or refused."""

from pathlib import Path

import pytest

from talos.procfs.reading import read, text


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "stat"
    file.write_bytes(b"12345")

    assert read(file, 5) == b"12345"
    with pytest.raises(ValueError, match=r"^more than 4 bytes$"):
        read(file, 4)


def test_text_fits_into_a_message_whatever_the_bytes() -> None:
    assert text(b"a\xffb") == "a\ufffdb"
