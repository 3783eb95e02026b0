"""Files are read in pieces and listed as Talos lists them; what can't be read is told, and so is where nothing is."""

import os
from pathlib import Path

import pytest

from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Refusal, messages
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from machined.services.files import CHUNK_BYTES, FilesService
from machined.walks import WALKS_OF_A_CLIENT, Walks
from resources import boot_status
from resources.boot_status import BootStatus, BootStatusSpec
from talos import confined
from talos._pb.common import common_pb2
from talos._pb.machine import machine_pb2

MANY_BYTES = 3 * CHUNK_BYTES + 1

pytestmark = pytest.mark.anyio


async def serving(root: Path) -> FilesService:
    """Return the service of a node that has booted what lies in a directory."""
    state = State(MemoryState())
    await state.create(BootStatus.new(boot_status.ID, BootStatusSpec(image="0001", root=str(root))))
    return FilesService(state, Walks(), boot_id="of this start")


async def read(service: FilesService, path: str) -> list[bytes]:
    """Return the pieces of a file."""
    answers = service.service.server_streaming["Read"](machine_pb2.ReadRequest(path=path).SerializeToString(), Call())
    pieces = []
    async for frames in answers:
        assert isinstance(frames, bytes)
        pieces += [common_pb2.Data.FromString(message).bytes for message in messages(frames)]
    return pieces


async def ls(service: FilesService, request: machine_pb2.ListRequest) -> list[machine_pb2.FileInfo]:
    infos = []
    async for frames in service.service.server_streaming["List"](request.SerializeToString(), Call()):
        assert isinstance(frames, bytes)
        assert frames
        infos += [machine_pb2.FileInfo.FromString(message) for message in messages(frames)]
    return infos


async def test_a_large_file_is_read_in_pieces(tmp_path: Path) -> None:
    content = os.urandom(MANY_BYTES)
    (tmp_path / "large").write_bytes(content)

    pieces = await read(await serving(tmp_path), "/large")

    assert max(map(len, pieces)) == CHUNK_BYTES
    assert b"".join(pieces) == content


async def test_a_file_that_can_not_be_read_on_is_an_error() -> None:
    service = await serving(Path("/proc/self"))

    with pytest.raises(Refusal) as refused:
        await read(service, "/mem")  # the kernel has nothing at address 0

    assert (refused.value.code, refused.value.message) == (Code.UNKNOWN, "read /mem: input/output error")


async def test_a_file_is_no_directory_for_a_slash_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Refusal, match="stat /file/: not a directory"):
        await read(await serving(tmp_path), "/file/")


async def test_no_file_is_left_open_by_who_reads_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(MANY_BYTES))
    service = await serving(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    request = machine_pb2.ReadRequest(path="/large").SerializeToString()
    answers = service.service.server_streaming["Read"](request, Call())
    await anext(answers)

    await answers.aclose()

    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("path", ["/etc", "etc", "/etc/", "etc/", "/etc/../etc"])
async def test_a_listing_begins_at_the_top_with_slashes_or_without(tmp_path: Path, path: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").touch()

    infos = await ls(await serving(tmp_path), machine_pb2.ListRequest(root=path))

    assert [(info.name, info.relative_name) for info in infos] == [("/etc", "."), ("/etc/file", "file")]


async def test_a_listing_of_nothing_names_the_whole_path(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^lstat /nothing: no such file or directory$"):
        await ls(await serving(tmp_path), machine_pb2.ListRequest(root="nothing/"))


async def test_types_that_are_not_there_leave_nothing_to_show(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    links = machine_pb2.ListRequest(root="/", types=[machine_pb2.ListRequest.SYMLINK])

    assert await ls(await serving(tmp_path), links) == []


async def test_a_directory_that_can_not_be_read_is_told_whatever_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined, "MAX_ENTRIES", 2)
    (tmp_path / "many").mkdir()
    for number in range(3):
        (tmp_path / f"many/{number}").touch()

    wanted = machine_pb2.ListRequest(root="/", recurse=True, types=[machine_pb2.ListRequest.REGULAR])
    (info,) = await ls(await serving(tmp_path), wanted)

    assert (info.name, info.relative_name, info.error) == ("/many", "many", "more than 2 entries")


async def test_names_that_are_no_text_are_shown_all_the_same(tmp_path: Path) -> None:
    odd = os.fsdecode(b"odd\xff")
    (tmp_path / odd).mkdir()
    (tmp_path / odd / "file").touch()
    (tmp_path / "link").symlink_to(odd)

    infos = await ls(await serving(tmp_path), machine_pb2.ListRequest(root="/link"))

    assert [(info.name, info.relative_name) for info in infos] == [("/odd�", "."), ("/odd�/file", "file")]


async def test_a_node_that_has_booted_nothing_has_a_boot_id_and_no_files() -> None:
    service = FilesService(State(MemoryState()), Walks(), boot_id="of this start")

    assert await read(service, "/proc/sys/kernel/random/boot_id") == [b"of this start\n"]
    with pytest.raises(Refusal, match="the node has booted no image yet") as refused:
        await read(service, "/etc/extensions.yaml")
    assert refused.value.code is Code.FAILED_PRECONDITION


async def test_who_asks_for_many_listings_and_reads_none_gets_no_more_until_some_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    service = await serving(tmp_path)
    request = machine_pb2.ListRequest(root="/", recurse=True).SerializeToString()
    unread = [service.service.server_streaming["List"](request, Call()) for _ in range(WALKS_OF_A_CLIENT)]
    for answers in unread:
        await anext(answers)

    with pytest.raises(Refusal, match="too many files and listings") as refused:
        await ls(service, machine_pb2.ListRequest(root="/"))
    await unread.pop().aclose()
    listed = await ls(service, machine_pb2.ListRequest(root="/"))

    assert refused.value.code is Code.RESOURCE_EXHAUSTED
    assert [info.name for info in listed] == ["/", "/file"]
    for answers in unread:
        await answers.aclose()
