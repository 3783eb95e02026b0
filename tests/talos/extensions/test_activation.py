"""A root shows exactly the boot image's extensions, read-only, and changes at once."""

import os
import stat
from pathlib import Path

import pytest

from talos.extensions import bootimage
from talos.extensions.activation import ActivationError, activate, deactivate
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImage
from tests.talos.extensions.archives import directory, file, symlink
from tests.talos.extensions.installed import boot_layer


@pytest.fixture
def image(store: BlobStore, tmp_path: Path) -> BootImage:
    first = boot_layer(
        0,
        "first",
        store,
        tmp_path / "images",
        file("rootfs/usr/local/both", b"first", mode=0o755),
        file("rootfs/usr/local/hides", b"a file"),
        symlink("rootfs/usr/local/link", "/usr/local/both"),
        symlink("rootfs/usr/local/away", "/tmp"),
        file("rootfs/usr/local/setuid", mode=0o4755),
    )
    second = boot_layer(
        1,
        "second",
        store,
        tmp_path / "images",
        file("rootfs/usr/local/both", b"second"),
        file("rootfs/usr/local/hides/this", b"hidden"),
        file("rootfs/usr/local/own", b"own"),
        directory("rootfs/usr/local/away"),
        file("rootfs/usr/local/away/evil", b"would be written through the link"),
    )
    return bootimage.build([first, second], store, tmp_path / "image")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "node/root"


def files_below(root: Path) -> dict[str, str]:
    found = {}
    for parent, directories, files in os.walk(root):
        for name in files + [each for each in directories if (Path(parent) / each).is_symlink()]:
            path = Path(parent) / name
            found[str(path.relative_to(root))] = os.readlink(path) if path.is_symlink() else path.read_text()
    return found


def test_the_earlier_extension_lies_on_top(image: BootImage, root: Path) -> None:
    activate(image, root)

    assert files_below(root) == {
        "etc/extensions.yaml": image.extensions_file.read_text(),
        "usr/local/both": "first",
        "usr/local/hides": "a file",
        "usr/local/link": "/usr/local/both",
        "usr/local/away": "/tmp",
        "usr/local/own": "own",
        "usr/local/setuid": "content",
    }
    assert not Path("/tmp/evil").exists()


def test_nothing_can_be_written_and_nothing_runs_as_another(image: BootImage, root: Path) -> None:
    activate(image, root)

    modes = {
        str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode)
        for path in [root, *root.rglob("*")]
        if not path.is_symlink()
    }
    assert not [path for path, mode in modes.items() if mode & 0o222]
    assert (modes["usr/local/both"], modes["usr/local/setuid"], modes["usr"]) == (0o555, 0o555, 0o555)


def test_activating_again_replaces_all_and_leaves_nothing(image: BootImage, root: Path, store: BlobStore) -> None:
    empty = bootimage.build([], store, image.directory.with_name("empty"))
    activate(image, root)

    activate(empty, root)

    assert list(files_below(root)) == ["etc/extensions.yaml"]
    assert len(os.listdir(root.parent)) == 2


def test_a_damaged_archive_changes_nothing(image: BootImage, root: Path, store: BlobStore) -> None:
    empty = bootimage.build([], store, image.directory.with_name("empty"))
    activate(empty, root)
    archive = image.archive(image.layers[1])
    archive.write_bytes(archive.read_bytes().replace(b"own", b"0wn"))

    with pytest.raises(ActivationError, match="is not what was installed; boot the previous image"):
        activate(image, root)

    assert list(files_below(root)) == ["etc/extensions.yaml"]
    assert len(os.listdir(root.parent)) == 2


def test_what_others_put_there_is_not_touched(image: BootImage, root: Path) -> None:
    root.mkdir(parents=True)
    (root / "precious").touch()

    with pytest.raises(ActivationError, match="this is a directory with files"):
        activate(image, root)

    assert os.listdir(root) == ["precious"]


def test_an_empty_directory_gives_way(image: BootImage, root: Path) -> None:
    root.mkdir(parents=True)

    activate(image, root)

    assert (root / "usr/local/own").read_text() == "own"


def test_what_a_crash_left_is_removed_by_the_next_activation(image: BootImage, root: Path) -> None:
    left = root.parent / ".root.0123.partial"
    (left / "usr").mkdir(parents=True)
    (left / "usr").chmod(0o555)

    activate(image, root)

    assert not left.exists()


def test_deactivating_takes_all_away_and_may_be_repeated(image: BootImage, root: Path) -> None:
    activate(image, root)

    deactivate(root)
    deactivate(root)

    assert os.listdir(root.parent) == []
