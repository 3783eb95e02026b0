"""Whatever an image holds, nothing comes of it outside its store, its boot image and its root."""

import contextlib
import os
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from talos.extensions import bootimage
from talos.extensions.activation import ActiveRoot, Way
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootLayer
from talos.extensions.inspection import examine
from talos.extensions.pull_errors import PullError
from talos.extensions.reference import extension_id
from tests.talos.extensions.corpus.kind import NODE, TAG, extension, write_document, write_image
from tests.talos.extensions.corpus.raw_tar import directory, file, hardlink, named, symlink
from tests.talos.extensions.installed import RECIPE
from tests.talos.extensions.mutation import mutations
from tests.talos.extensions.puller import pulled

pytestmark = pytest.mark.anyio

IMAGES = 250
REFERENCE = f"oci:layout:{TAG}"
SECRET = b"not of any image"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that images try to write to, and to link from."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "secret").write_bytes(SECRET)
    return path


def layers(outside: Path, chance: random.Random) -> list[bytes]:
    """Return layers whose members are good ones among such that lead out of the image."""
    return [
        extension(*_members(outside, chance)),
        *([b"".join(_members(outside, chance))] if chance.random() < 0.3 else []),
    ]


def _members(outside: Path, chance: random.Random) -> Iterator[bytes]:
    good = [f"rootfs/usr/local/{name}" for name in ("a", "b", "c", "d/e", "d/f", "g")]
    up = "../" * 12
    bad = [f"{outside}/x", f"rootfs{outside}/x", f"{up}{str(outside)[1:]}/x", "rootfs/usr/local/d/../../../../x", "x"]
    targets = [
        *good,
        str(outside),
        f"{outside}/secret",
        f"/..{outside}",
        f"{up}{str(outside)[1:]}",
        "a",
        "d",
        "/usr/local/a",
    ]
    evil = chance.random() < 0.4
    for _ in range(chance.randint(1, 6)):
        path = chance.choice(bad if evil and chance.random() < 0.3 else good)
        match chance.randrange(6):
            case 0 | 1:
                yield named(path.encode(), file("x"))
            case 2:
                yield named(f"{path}/".encode(), directory("x"))
            case 3 | 4:
                yield named(path.encode(), symlink("x", chance.choice(targets)[:100]))
            case _:
                yield named(path.encode(), hardlink("x", chance.choice(targets)[:100]))


async def test_no_file_of_any_image_lands_outside_of_its_root(tmp_path: Path, outside: Path) -> None:
    chance = random.Random(IMAGES)
    root = tmp_path / "node/root"
    installed = 0
    for _ in range(IMAGES):
        write_image(tmp_path / "layout", layers(outside, chance))
        installed += await install(tmp_path, root)
        assert {path.name for path in tmp_path.iterdir()} <= {"outside", "layout", "store", "image", "node"}
        assert [path.name for path in outside.iterdir()] == ["secret"]
        assert (outside / "secret").read_bytes() == SECRET
        assert (outside / "secret").stat().st_nlink == 1
    assert IMAGES / 10 < installed < IMAGES, "some are good, and some are not"


async def install(directory: Path, root: Path) -> bool:
    """Take an image all the way to a root, where it passes; tell whether it did."""
    store = BlobStore(directory / "store")
    image = await pulled(REFERENCE, store, base=directory)
    _, verdict = examine(image, store, talos_version=NODE)
    if verdict.manifest is None or not verdict.passed:
        return False
    layer = BootLayer(extension_id(0, REFERENCE), REFERENCE, image.manifest_digest, verdict.manifest.metadata)
    active = ActiveRoot(root, (Way.UNPACKED,))
    active.activate(bootimage.build([layer], store, directory / "image", RECIPE))
    assert all(each.is_relative_to(os.path.realpath(root)) for each in files_below(root))
    active.deactivate()
    shutil.rmtree(directory / "image")
    return True


def files_below(root: Path) -> Sequence[Path]:
    """Return where the files of a root really lie, links not followed."""
    real = Path(os.path.realpath(root))
    return [Path(parent) / name for parent, _, names in os.walk(real) for name in names]


async def test_a_damaged_layout_gives_an_image_or_an_error(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    write_image(layout)
    good = {path: path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    for number, content in enumerate(mutations(list(good.values()), IMAGES)):
        path = list(good)[number % len(good)]
        path.write_bytes(content)
        await assert_pulled_or_refused(tmp_path)
        path.write_bytes(good[path])


async def test_a_damaged_manifest_under_its_own_digest_gives_an_image_or_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "layout")
    manifests = [path.read_bytes() for path in (tmp_path / "layout/blobs/sha256").iterdir()]
    (manifest,) = (raw for raw in manifests if b'"layers"' in raw)
    for content in mutations([manifest], IMAGES):
        write_document(tmp_path / "layout", content)
        await assert_pulled_or_refused(tmp_path)


async def assert_pulled_or_refused(directory: Path) -> None:
    shutil.rmtree(directory / "store", ignore_errors=True)
    store = BlobStore(directory / "store")
    with contextlib.suppress(PullError):
        examine(await pulled(REFERENCE, store, base=directory), store, talos_version=NODE)
    assert {path.name for path in directory.iterdir()} == {"layout", "store"}
