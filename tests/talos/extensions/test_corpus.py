"""Every kind of broken image gives the one message it must give, and leaves nothing where it does not belong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from talos.extensions.blobs import digest_of
from tests.talos.extensions.corpus import CORPUS, said
from tests.talos.extensions.corpus.kind import Kind

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", CORPUS.values(), ids=CORPUS.keys())
async def test_a_broken_image_gives_its_one_message(tmp_path: Path, kind: Kind) -> None:
    kind.write(tmp_path / said.LAYOUT)
    before = contents(tmp_path / said.LAYOUT)

    assert await said.said_of(tmp_path) == kind.message

    assert contents(tmp_path / said.LAYOUT) == before
    assert {path.name for path in tmp_path.iterdir()} <= {said.LAYOUT, "store"}
    assert unverified(tmp_path / "store") == []


def test_all_broken_images_together_need_little_memory(tmp_path: Path) -> None:
    directories = {kind.slug: tmp_path / kind.slug for kind in CORPUS.values()}
    for kind in CORPUS.values():
        directories[kind.slug].mkdir()
        kind.write(directories[kind.slug] / said.LAYOUT)

    command = [sys.executable, "-m", said.__name__, *map(str, directories.values())]
    answer = subprocess.run(command, capture_output=True, check=True)

    assert json.loads(answer.stdout) == [kind.message for kind in CORPUS.values()]


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 200


def contents(directory: Path) -> set[tuple[str, int]]:
    """Return the name of everything in a directory, and when it last changed."""
    return {(str(path), path.lstat().st_mtime_ns) for path in directory.rglob("*")}


def unverified(store: Path) -> list[Path]:
    """Return the files in a store that are neither a blob under its own digest nor a part of one on its way."""
    files = (path for path in store.rglob("*") if not path.is_dir() and path.parent != store / "partial")
    return [path for path in files if f"{path.parent.name}:{path.name}" != digest_of(path.read_bytes())]
