"""A directory becomes a reproducible image, and the examples are good ones."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.build import EXTENSIONS, build_all
from talos.config.machine_config import parse
from talos.extensions.authoring import AuthoringError, build_image
from talos.extensions.blobs import BlobStore
from talos.extensions.inspection import inspect
from talos.extensions.oci import Platform
from talos.extensions.reference import Reference
from tests.talos.extensions.archives import MANIFEST
from tests.talos.extensions.puller import pulled

ROOT = Path(__file__).parents[3]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "extension"
    local = directory / "rootfs/usr/local"
    local.mkdir(parents=True)
    (directory / "manifest.yaml").write_bytes(MANIFEST)
    (local / "program").write_text("#!/bin/sh\n")
    (local / "program").chmod(0o777)
    (local / "link").symlink_to("program")
    (local / "empty").mkdir(mode=0o777)
    return directory


def bytes_of(layout: Path) -> dict[str, bytes]:
    return {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}


def tags_of(layout: Path) -> list[str]:
    index = json.loads((layout / "index.json").read_bytes())
    return [each["annotations"]["org.opencontainers.image.ref.name"] for each in index["manifests"]]


@pytest.mark.anyio
@pytest.mark.parametrize("platform", ["linux/amd64", "linux/arm64"])
async def test_what_is_built_can_be_pulled_and_passes(
    source: Path, tmp_path: Path, store: BlobStore, platform: str
) -> None:
    built = build_image(source, tmp_path / "images", "v1")

    found = await pulled("oci:images:v1", store, base=tmp_path, platform=Platform.parse(platform))

    assert found.digest == built.digest
    assert inspect(found, store, talos_version="v1.10.0").faults == ()


def test_neither_time_nor_order_nor_umask_change_the_bytes(source: Path, tmp_path: Path) -> None:
    build_image(source, tmp_path / "one", "a")
    build_image(source, tmp_path / "one", "b")
    for path in source.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    (source / "rootfs/usr/local/empty").chmod(0o700)
    build_image(source, tmp_path / "two", "b")
    build_image(source, tmp_path / "two", "a")

    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_tag_moves_and_the_others_stay(source: Path, tmp_path: Path) -> None:
    build_image(source, tmp_path / "images", "stays")
    old = build_image(source, tmp_path / "images", "moves")
    (source / "rootfs/usr/local/more").touch()

    new = build_image(source, tmp_path / "images", "moves")

    assert new.digest != old.digest
    assert tags_of(tmp_path / "images") == ["moves", "stays"]


@pytest.mark.parametrize("part", ["manifest.yaml", "rootfs"])
def test_a_directory_without_a_part_is_refused(tmp_path: Path, part: str) -> None:
    (tmp_path / "manifest.yaml").write_bytes(MANIFEST)
    (tmp_path / "rootfs").mkdir()
    (tmp_path / part).rename(tmp_path / "elsewhere")

    with pytest.raises(AuthoringError, match=f"{part}: missing"):
        build_image(tmp_path, tmp_path / "images", "v1")


def test_what_no_image_can_hold_is_refused_and_leaves_no_blob(source: Path, tmp_path: Path) -> None:
    os.mkfifo(source / "rootfs/pipe")

    with pytest.raises(AuthoringError, match="neither a file, a directory nor a link; remove it"):
        build_image(source, tmp_path / "images", "v1")

    assert list((tmp_path / "images/blobs/sha256").iterdir()) == []


@pytest.mark.anyio
async def test_the_examples_are_what_the_example_config_asks_for(tmp_path: Path, store: BlobStore) -> None:
    build_all(EXTENSIONS, tmp_path / "images")
    config = parse((ROOT / "examples/machine.yaml").read_bytes(), source="machine.yaml")

    for image in config.extensions:
        found = await pulled(image, store, base=tmp_path)
        assert inspect(found, store, talos_version="v1.10.0").faults == ()
        assert Reference.parse(image).tag in tags_of(tmp_path / "images")


def test_building_the_examples_twice_gives_the_same_bytes_and_lines(tmp_path: Path) -> None:
    layout = tmp_path / "images"
    command = [sys.executable, "-m", "examples.build", "--layout", str(layout)]

    first = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    before = bytes_of(layout)
    second = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)

    assert bytes_of(layout) == before
    assert second.stdout == first.stdout
    assert [line.split()[0] for line in first.stdout.splitlines()] == tags_of(layout)
