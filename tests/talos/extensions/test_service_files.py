"""The service files of an active tree are listed by name, and nothing in the tree leads the reader elsewhere."""

import os
from pathlib import Path

import pytest

from talos.extensions.service_files import DIRECTORY, MAX_FILES, ServiceFile, read_services
from talos.extensions.services import MAX_SERVICE_BYTES
from tests.talos.extensions.service_texts import service_text

IN_THE_DIRECTORY = f"/{DIRECTORY}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def directory(root: Path) -> Path:
    directory = root / DIRECTORY
    directory.mkdir(parents=True)
    return directory


def problems(files: tuple[ServiceFile, ...]) -> dict[str, str]:
    """Return the first problem of each file."""
    return {file.name: file.faults[0].problem if file.faults else "" for file in files}


def test_services_come_in_the_order_of_their_files_and_other_files_do_not_count(root: Path, directory: Path) -> None:
    for name in ("b.yaml", "a.yaml", "README", "c.yml"):
        (directory / name).write_bytes(service_text(name[0]))

    files = read_services(root)

    assert [(file.name, file.service.name if file.service else "") for file in files] == [
        ("a.yaml", "a"),
        ("b.yaml", "b"),
    ]
    assert problems(files) == {"a.yaml": "", "b.yaml": ""}


def test_the_root_itself_may_be_a_link(root: Path, directory: Path, tmp_path: Path) -> None:
    (directory / "a.yaml").write_bytes(service_text("a"))
    (tmp_path / "active").symlink_to("root")

    assert problems(read_services(tmp_path / "active")) == {"a.yaml": ""}


@pytest.mark.parametrize("missing", ["", "root", f"root/{DIRECTORY}", "root/usr/local/etc"])
def test_a_tree_without_services_has_none(tmp_path: Path, missing: str) -> None:
    (tmp_path / missing).mkdir(parents=True, exist_ok=True)

    assert read_services(tmp_path / "root") == ()


def test_a_bad_file_leaves_the_others_alone(root: Path, directory: Path) -> None:
    (directory / "a.yaml").write_bytes(b"name: [")
    (directory / "b.yaml").write_bytes(service_text("b"))

    bad, good = read_services(root)

    assert bad.service is None
    assert [(fault.rule, fault.path) for fault in bad.faults] == [("service-malformed", f"{IN_THE_DIRECTORY}/a.yaml")]
    assert not good.faults


def test_the_first_file_has_a_services_name_and_later_ones_are_refused(root: Path, directory: Path) -> None:
    (directory / "a.yaml").write_bytes(service_text("hello").replace(b"never", b"?"))
    for name in ("b.yaml", "c.yaml", "d.yaml"):
        (directory / name).write_bytes(service_text("hello"))

    files = read_services(root)

    assert problems(files)["b.yaml"] == ""
    assert problems(files)["c.yaml"] == problems(files)["d.yaml"] == "the service hello is in b.yaml already"
    assert files[2].faults[0].rule == "service-duplicate"


def test_only_small_regular_files_are_opened(root: Path, directory: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(service_text("secret"))
    (directory / "absolute.yaml").symlink_to(tmp_path / "secret")
    (directory / "dangling.yaml").symlink_to("nowhere")
    (directory / "directory.yaml").mkdir()
    (directory / "inside.yaml").symlink_to("large.yaml")
    (directory / "large.yaml").write_bytes(b"#" * (MAX_SERVICE_BYTES + 2))
    (directory / "relative.yaml").symlink_to("../../../../../secret")
    os.mkfifo(directory / "fifo.yaml")

    files = read_services(root)

    assert problems(files) == {
        "absolute.yaml": "this is a link",
        "dangling.yaml": "this is a link",
        "directory.yaml": "this is no regular file",
        "fifo.yaml": "this is no regular file",
        "inside.yaml": "this is a link",
        "large.yaml": "65538 bytes long, 65536 are allowed",
        "relative.yaml": "this is a link",
    }
    assert {fault.rule for file in files for fault in file.faults} == {"service-file"}
    assert all(file.service is None for file in files)


@pytest.mark.parametrize("link", ["usr", "usr/local", "usr/local/etc", DIRECTORY])
def test_no_directory_on_the_way_may_be_a_link(root: Path, tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    (outside / DIRECTORY).mkdir(parents=True)
    (outside / DIRECTORY / "a.yaml").write_bytes(service_text("a"))
    (root / link).parent.mkdir(parents=True)
    (root / link).symlink_to(outside / link)

    files = read_services(root)

    assert problems(files) == {"": "this, or a directory above it, is a link or a file"}
    assert files[0].path == files[0].faults[0].path == IN_THE_DIRECTORY


def test_a_file_in_place_of_a_directory_is_a_fault(root: Path) -> None:
    root.mkdir()
    (root / "usr").write_text("")

    assert problems(read_services(root)) == {"": "this, or a directory above it, is a link or a file"}


def test_names_that_cannot_be_shown_are_told_but_not_used(root: Path, directory: Path) -> None:
    for name in (b"a\n.yaml", b"\xff.yaml"):
        (directory / os.fsdecode(name)).write_bytes(service_text("a"))

    (file,) = read_services(root)

    assert [fault.problem for fault in file.faults] == [
        r"'a\n.yaml' holds a character that cannot be shown",
        r"'\udcff.yaml' holds a character that cannot be shown",
    ]


def test_a_flood_of_files_is_cut_and_told(root: Path, directory: Path) -> None:
    for number in range(MAX_FILES + 1):
        (directory / f"{number:04}.yaml").write_bytes(service_text(f"s{number}"))

    told, *files = read_services(root)

    assert told.faults[0].problem == f"{MAX_FILES + 1} service files; {MAX_FILES} are read"
    assert [file.name for file in files] == [f"{number:04}.yaml" for number in range(MAX_FILES)]
