"""talosctl copies what the node has booted, and says how much room it takes."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from cosi.rpc.http2.status import Code
from tests.scenarios.door import LARGE, administrator, booted, login, opened
from tests.talosctl.wire import CallFailed

NOT_ABSOLUTE = "path is not absolute etc"

pytestmark = pytest.mark.anyio


async def test_a_copy_has_the_files_and_links_of_a_directory(tmp_path: Path) -> None:
    async with booted(tmp_path) as client:
        copied = gzip.decompress(await client.copy("/usr/local/bin/"))

    with tarfile.open(fileobj=io.BytesIO(copied)) as archive:
        program, link = archive.getmembers()
        assert (program.name, program.mode, link.name, link.linkname) == ("good", 0o755, "passwd", "/etc/passwd")
        content = archive.extractfile(program)
        assert content is not None
        assert content.read() == LARGE


async def test_a_copy_through_a_link_stays_inside(tmp_path: Path) -> None:
    async with booted(tmp_path) as client:
        with pytest.raises(CallFailed, match=r"^2: lstat /usr/local/bin/passwd: no such file or directory$"):
            await client.copy("/usr/local/bin/passwd")


async def test_a_path_to_copy_is_absolute(tmp_path: Path) -> None:
    async with booted(tmp_path) as client:
        with pytest.raises(CallFailed) as refused:
            await client.copy("etc/")

    assert (refused.value.code, refused.value.message) == (Code.UNKNOWN, NOT_ABSOLUTE)


async def test_directories_take_what_is_in_them(tmp_path: Path) -> None:
    async with booted(tmp_path) as client:
        everything = await client.usage()
        files = await client.usage("/usr/local", all=True, depth=2)
        nothing, etc = await client.usage("/nothing", "/etc")

    assert [info.relative_name for info in everything] == ["etc", "usr", "."]
    assert everything[-1].size > everything[-2].size > len(LARGE)
    names = [(info.name, info.relative_name) for info in files]
    assert names[0] == ("/usr/local/bin/good", "bin/good")
    assert names[-1] == ("/usr/local", ".")
    assert files[0].size == len(LARGE)
    assert (nothing.name, nothing.error) == ("/nothing", "lstat /nothing: no such file or directory")
    assert (etc.name, etc.relative_name) == ("/etc", ".")


async def test_a_reader_may_see_sizes_and_copy_nothing(tmp_path: Path) -> None:
    async with booted(tmp_path), login(tmp_path, "os:reader").talosctl() as reader:
        assert await reader.usage("/etc")
        with pytest.raises(CallFailed, match="not authorized"):
            await reader.copy("/etc")


async def test_a_node_that_has_booted_nothing_has_nothing_to_copy(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as client:
        with pytest.raises(CallFailed, match=r"^9: the node has booted no image yet"):
            await client.copy("/")
