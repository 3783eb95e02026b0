"""Every kind of broken image gives the one message it must give, and leaves nothing where it does not belong."""

from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore, digest_of
from talos.extensions.faults import Fault
from talos.extensions.inspection import examine
from talos.extensions.pull_errors import PullError
from tests.talos.extensions.corpus import CORPUS
from tests.talos.extensions.corpus.kind import NODE, TAG, Kind, as_promised
from tests.talos.extensions.puller import pulled

pytestmark = pytest.mark.anyio


async def said_of(kind: Kind, directory: Path) -> str:
    """Return what an operator reads about an image, written as the corpus writes it."""
    store = BlobStore(directory / "store")
    reference = f"oci:layout:{TAG}"
    try:
        image = await pulled(reference, store, base=directory)
    except PullError as error:
        message = f"{error} [{type(error).__name__}]".removeprefix(f"{reference}: ")
    else:
        _, verdict = examine(image, store, talos_version=NODE)
        message = "\n".join(map(_line, verdict.faults))
    return as_promised(message, directory / "layout")


def _line(fault: Fault) -> str:
    return str(fault).replace(f" (in layer {fault.layer})", "")


@pytest.mark.parametrize("kind", CORPUS.values(), ids=CORPUS.keys())
async def test_a_broken_image_gives_its_one_message(tmp_path: Path, kind: Kind) -> None:
    kind.write(tmp_path / "layout")
    before = contents(tmp_path / "layout")

    assert await said_of(kind, tmp_path) == kind.message

    assert contents(tmp_path / "layout") == before
    assert {path.name for path in tmp_path.iterdir()} <= {"layout", "store"}
    assert unverified(tmp_path / "store") == []


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 60


def contents(directory: Path) -> set[tuple[str, int]]:
    """Return the name of everything in a directory, and when it last changed."""
    return {(str(path), path.lstat().st_mtime_ns) for path in directory.rglob("*")}


def unverified(store: Path) -> list[Path]:
    """Return the files in a store that are neither a blob under its own digest nor a part of one on its way."""
    files = (path for path in store.rglob("*") if not path.is_dir() and path.parent != store / "partial")
    return [path for path in files if f"{path.parent.name}:{path.name}" != digest_of(path.read_bytes())]
