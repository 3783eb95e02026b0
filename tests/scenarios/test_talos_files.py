"""talosctl reads and lists the tree that the node has booted, and draws who reads and writes what."""

from pathlib import Path

import pytest
import yaml

from cosi.rpc.http2.status import Code
from resources import boot_status
from talos._pb.inspect import inspect_pb2
from talos._pb.machine import machine_pb2
from tests.scenarios.door import LARGE, administrator, booted, login, opened
from tests.talosctl.wire import CallFailed

pytestmark = pytest.mark.anyio


async def test_extensions_yaml_is_that_of_the_booted_image(tmp_path: Path) -> None:
    async with booted(tmp_path) as talosctl:
        layers = yaml.safe_load(await talosctl.read("/etc/extensions.yaml"))["layers"]

    assert [layer["image"] for layer in layers] == ["000.oci-images-good.sqsh"]


async def test_a_file_is_read_whole(tmp_path: Path) -> None:
    async with booted(tmp_path) as talosctl:
        assert await talosctl.read("/usr/local/bin/good") == LARGE


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/etc/passwd", Code.NOT_FOUND, "stat /etc/passwd: no such file or directory"),
        ("/usr/local/bin/passwd", Code.NOT_FOUND, "stat /usr/local/bin/passwd: no such file or directory"),
        ("/../../../../etc/passwd", Code.NOT_FOUND, "stat /../../../../etc/passwd: no such file or directory"),
        ("/etc", Code.UNKNOWN, "path must be a regular file"),
    ],
)
async def test_nothing_outside_the_tree_is_read(tmp_path: Path, path: str, code: Code, message: str) -> None:
    async with booted(tmp_path) as talosctl:
        with pytest.raises(CallFailed) as refused:
            await talosctl.read(path)

    assert (refused.value.code, refused.value.message) == (code, message)


async def test_a_listing_is_talosctls(tmp_path: Path) -> None:
    async with booted(tmp_path) as talosctl:
        top = [info.relative_name for info in await talosctl.ls()]
        files = await talosctl.ls("/usr/local/bin")
        links = await talosctl.ls("/usr", depth=9, types=[machine_pb2.ListRequest.SYMLINK])
        with pytest.raises(CallFailed, match="lstat /nothing: no such file or directory"):
            await talosctl.ls("/nothing")

    assert top == [".", "etc", "usr"]
    assert [(info.name, info.relative_name, info.is_dir, info.link) for info in files] == [
        ("/usr/local/bin", ".", True, ""),
        ("/usr/local/bin/good", "good", False, ""),
        ("/usr/local/bin/passwd", "passwd", False, "/etc/passwd"),
    ]
    assert (files[1].size, oct(files[1].mode)) == (len(LARGE), "0o755")
    assert [info.relative_name for info in links] == ["local/bin/passwd"]


async def test_a_listing_by_depth_or_type_is_what_talos_lists(tmp_path: Path) -> None:
    async with booted(tmp_path) as talosctl:
        top = await talosctl.ls("/", depth=2)
        below = await talosctl.ls("/usr", depth=2)
        links = await talosctl.ls("/usr", types=[machine_pb2.ListRequest.SYMLINK])
        directories = await talosctl.ls("/usr", types=[machine_pb2.ListRequest.DIRECTORY])

    assert [info.relative_name for info in top] == [
        ".", "etc", "etc/extensions.yaml", "usr", "usr/local", "usr/local/bin"
    ]  # fmt: skip
    assert [info.relative_name for info in below] == [".", "local", "local/bin"]
    assert [info.relative_name for info in links] == ["local/bin/passwd"]
    assert [info.relative_name for info in directories] == [".", "local"]


async def test_the_boot_id_is_another_one_at_each_start(tmp_path: Path) -> None:
    boot_ids = []
    for _ in range(2):
        async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
            boot_ids.append(await talosctl.read("/proc/sys/kernel/random/boot_id"))

    assert boot_ids[0] != boot_ids[1]


async def test_files_are_read_by_administrators_and_listed_by_readers(tmp_path: Path) -> None:
    async with booted(tmp_path), login(tmp_path, "os:reader").talosctl() as reader:
        listed = await reader.ls("/etc")
        with pytest.raises(CallFailed, match="not authorized"):
            await reader.read("/etc/extensions.yaml")

    assert [info.relative_name for info in listed] == [".", "extensions.yaml"]


async def test_the_graph_has_every_controller_and_what_it_reads_and_writes(tmp_path: Path) -> None:
    async with opened(tmp_path), administrator(tmp_path).talosctl() as talosctl:
        edges = await talosctl.dependencies()

    told = {(edge.controller_name, edge.edge_type, edge.resource_type, edge.resource_id) for edge in edges}
    boot, boot_type = "runtime.BootController", "BootStatuses.extensions.cosi.dev"
    assert (boot, inspect_pb2.OUTPUT_EXCLUSIVE, boot_type, "") in told
    assert (boot, inspect_pb2.INPUT_WEAK, "BootImages.extensions.cosi.dev", "current") in told
    fetch = "runtime.ExtensionFetchController"
    assert (fetch, inspect_pb2.INPUT_STRONG, "ExtensionSpecs.extensions.cosi.dev", "") in told
    kinds = [edge.edge_type == inspect_pb2.OUTPUT_EXCLUSIVE for edge in edges]
    assert kinds == sorted(kinds, reverse=True)


async def test_every_type_of_the_graph_can_be_looked_up_with_its_resources(tmp_path: Path) -> None:
    async with booted(tmp_path) as talosctl:
        drawn = await talosctl.dependencies_with_resources()
        types = {edge.resource_type for edge in await talosctl.dependencies()}

    assert set(drawn) == types
    assert drawn["BootStatuses.extensions.cosi.dev"] == [boot_status.ID]


async def test_a_reader_draws_the_graph_without_what_it_may_not_see(tmp_path: Path) -> None:
    async with booted(tmp_path), login(tmp_path, "os:reader").talosctl() as reader:
        drawn = await reader.dependencies_with_resources()

    assert drawn["BootStatuses.extensions.cosi.dev"] == [boot_status.ID]
    assert "MachineConfigs.config.talos.dev" not in drawn
