"""A root shows exactly the boot image's extensions, read-only, and changes at once."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from talos.extensions import bootimage, mounts
from talos.extensions.activation import ActivationError, ActiveRoot, Way
from talos.extensions.blobs import BlobStore
from talos.extensions.bootimage import BootImage
from tests.programs import may_have_namespaces, may_mount
from tests.talos.extensions.archives import directory, file, symlink
from tests.talos.extensions.installed import RECIPE, boot_layer


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
    return bootimage.build([first, second], store, tmp_path / "image", RECIPE)


POSSIBLE: dict[Way, Callable[[], bool]] = {Way.MOUNTED: may_mount, Way.NAMESPACE: may_have_namespaces}


@pytest.fixture(params=list(Way))
def active(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ActiveRoot]:
    """Return a root for each way to activate."""
    if request.param is not Way.UNPACKED and not POSSIBLE[request.param]():
        pytest.skip("not allowed on this machine")
    active = ActiveRoot(tmp_path / "node/root", (request.param,))
    yield active
    active.deactivate()


@pytest.fixture
def root(active: ActiveRoot) -> Path:
    return active.path


def files_below(root: Path) -> dict[str, str]:
    found = {}
    for parent, directories, files in os.walk(root):
        for name in files + [each for each in directories if (Path(parent) / each).is_symlink()]:
            path = Path(parent) / name
            found[str(path.relative_to(root))] = os.readlink(path) if path.is_symlink() else path.read_text()
    return found


def test_the_earlier_extension_lies_on_top(image: BootImage, root: Path, active: ActiveRoot) -> None:
    active.activate(image)

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


@pytest.mark.parametrize("active", [Way.MOUNTED, Way.NAMESPACE], indirect=True)
def test_nothing_can_be_written_where_it_is_mounted(image: BootImage, root: Path, active: ActiveRoot) -> None:
    active.activate(image)

    for path in ("new", "usr/local/both", "etc/extensions.yaml"):
        with pytest.raises(OSError, match="Read-only file system"):
            (root / path).open("a")
    assert os.statvfs(root).f_flag & os.ST_NOSUID


def test_what_is_unpacked_may_be_written_by_nobody_and_runs_as_nobody_else(image: BootImage, tmp_path: Path) -> None:
    root = tmp_path / "node/root"
    ActiveRoot(root, (Way.UNPACKED,)).activate(image)

    modes = {
        str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode)
        for path in [root, *root.rglob("*")]
        if not path.is_symlink()
    }
    assert not [path for path, mode in modes.items() if mode & 0o222]
    assert (modes["usr/local/both"], modes["usr/local/setuid"], modes["usr"]) == (0o555, 0o555, 0o555)


def test_activating_again_replaces_all_and_leaves_nothing(
    image: BootImage, root: Path, active: ActiveRoot, store: BlobStore
) -> None:
    empty = bootimage.build([], store, image.directory.with_name("empty"), RECIPE)
    active.activate(image)

    active.activate(empty)

    assert list(files_below(root)) == ["etc/extensions.yaml"]
    assert len(os.listdir(root.parent)) == 2


def test_a_damaged_layer_changes_nothing(image: BootImage, root: Path, active: ActiveRoot, store: BlobStore) -> None:
    empty = bootimage.build([], store, image.directory.with_name("empty"), RECIPE)
    active.activate(empty)
    layer = image.path(image.files[1])
    layer.write_bytes(layer.read_bytes()[:-1] + b"x")

    with pytest.raises(ActivationError, match="is not what was installed; boot the previous image"):
        active.activate(image)

    assert list(files_below(root)) == ["etc/extensions.yaml"]
    assert len(os.listdir(root.parent)) == 2


def test_what_others_put_there_is_not_touched(image: BootImage, root: Path, active: ActiveRoot) -> None:
    root.mkdir(parents=True)
    (root / "precious").touch()

    with pytest.raises(ActivationError, match="this is a directory with files"):
        active.activate(image)

    assert os.listdir(root) == ["precious"]


def test_an_empty_directory_gives_way(image: BootImage, root: Path, active: ActiveRoot) -> None:
    root.mkdir(parents=True)

    active.activate(image)

    assert (root / "usr/local/own").read_text() == "own"


def test_what_a_crash_left_is_removed_by_the_next_activation(image: BootImage, root: Path, active: ActiveRoot) -> None:
    left = root.parent / ".root.0123.partial"
    (left / "usr").mkdir(parents=True)
    (left / "usr").chmod(0o555)

    active.activate(image)

    assert not left.exists()


def test_deactivating_takes_all_away_and_may_be_repeated(image: BootImage, root: Path, active: ActiveRoot) -> None:
    active.activate(image)

    active.deactivate()
    active.deactivate()

    assert os.listdir(root.parent) == []


def test_what_a_killed_node_left_mounted_goes_when_the_next_one_starts(
    image: BootImage, root: Path, active: ActiveRoot
) -> None:
    killed = ActiveRoot(root, (active.activate(image).way,))
    active.activate(image)

    killed.deactivate()

    assert os.listdir(root.parent) == []
    assert mounts.mounted_below(root.parent) == []


def test_the_next_best_way_is_taken_and_the_reason_is_told(
    image: BootImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", "/dev/loop-control")

    monkeypatch.setattr(mounts, "mount_image", refuse)
    active = ActiveRoot(tmp_path / "node/root", (Way.MOUNTED, Way.UNPACKED))

    activated = active.activate(image)

    assert activated.way is Way.UNPACKED
    assert str(activated).startswith("unpacked read-only (not mounted: [Errno 1] Operation not permitted")
    active.deactivate()


def test_no_extensions_make_a_root_too(active: ActiveRoot, store: BlobStore, tmp_path: Path) -> None:
    active.activate(bootimage.build([], store, tmp_path / "empty", RECIPE))

    assert (active.path / "etc/extensions.yaml").exists()
