"""A directory takes what it and all below it take; who asks may leave files, depths and sizes out."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.confined import Entry, listing
from talos.disk_usage import Usage, Wanted, disk_usage, disk_usage_of

DEEP = 99


def grown(top: Path) -> Path:
    """Make a few directories with files of known sizes."""
    (top / "a/b").mkdir(parents=True)
    (top / "z").mkdir()
    for path, size in {"a/b/deep": 100, "a/file": 10, "z/last": 1}.items():
        (top / path).write_bytes(bytes(size))
    return top


def sizes(top: Path, path: str) -> dict[str, int]:
    """Return what everything takes, without what the directories themselves take."""
    own = {
        entry.relative: entry.status.st_size if entry.status is not None and (top / entry.path[1:]).is_dir() else 0
        for entry in listing(top, path, depth=DEEP)
    }
    return {
        usage.relative: usage.size
        - sum(
            size
            for name, size in own.items()
            if usage.relative == "." or name == usage.relative or name.startswith(f"{usage.relative}/")
        )
        for usage in disk_usage(listing(top, path, depth=DEEP))
    }


def test_a_directory_takes_what_is_below_it(tmp_path: Path) -> None:
    top = grown(tmp_path)

    assert sizes(top, "/") == {"a/b/deep": 100, "a/b": 100, "a/file": 10, "a": 110, "z/last": 1, "z": 1, ".": 111}
    assert sizes(top, "/a") == {"b/deep": 100, "b": 100, "file": 10, ".": 110}
    assert sizes(top, "/a/file") == {"file": 10}


def test_depth_counts_slashes_as_talos_does(tmp_path: Path) -> None:
    top = grown(tmp_path)

    from_the_top = {usage.relative: usage.depth for usage in disk_usage(listing(top, "/", depth=DEEP))}
    from_below = {usage.relative: usage.depth for usage in disk_usage(listing(top, "/a", depth=DEEP))}

    assert from_the_top == {".": 0, "a": 0, "z": 0, "a/b": 1, "a/file": 1, "z/last": 1, "a/b/deep": 2}
    assert from_below == {".": 0, "b": 1, "file": 1, "b/deep": 2}


def test_names_that_begin_alike_are_not_in_each_other(tmp_path: Path) -> None:
    for name in ("a", "a-b", "a.d"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(bytes(7))

    assert {sizes(tmp_path, "/")[name] for name in ("a", "a-b", "a.d")} == {7}


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["a/b", "a", "z", "."]),
        (Wanted(files=True), ["a/b/deep", "a/b", "a/file", "a", "z/last", "z", "."]),
        (Wanted(depth=1), ["a", "z", "."]),
        (Wanted(files=True, depth=2), ["a/b", "a/file", "a", "z/last", "z", "."]),
        (Wanted(files=True, threshold=100), ["a/b/deep", "a/b", "a", "z", "."]),
        (Wanted(files=True, threshold=-50), ["a/file", "z/last"]),
    ],
)
def test_what_is_not_wanted_is_left_out(tmp_path: Path, wanted: Wanted, names: list[str]) -> None:
    top = grown(tmp_path)

    assert [usage.relative for usage in disk_usage(listing(top, "/", depth=DEEP)) if usage in wanted] == names


def test_what_cannot_be_read_is_told_whatever_is_wanted() -> None:
    (usage,) = disk_usage([Entry("/a", "a", error="permission denied")])

    assert usage == Usage("/a", "a", 0, error="permission denied")
    assert usage in Wanted(depth=1, threshold=1000)


@given(st.integers(-1000, 1000), st.integers(0, 1000))
def test_a_threshold_is_a_least_size_or_a_largest(threshold: int, size: int) -> None:
    shown = Usage("/a", "a", 0, directory=True, size=size) in Wanted(threshold=threshold)

    assert shown == (threshold == 0 or (size >= threshold if threshold > 0 else size <= -threshold))


def test_a_path_that_leads_nowhere_is_told_as_such(tmp_path: Path) -> None:
    (usage,) = disk_usage_of(tmp_path, "/nothing")

    assert (usage.relative, usage.error) == ("/nothing", "lstat /nothing: no such file or directory")


def test_a_walk_that_is_given_up_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    usages = disk_usage_of(grown(tmp_path), "/")
    next(usages)

    usages.close()

    assert len(os.listdir("/proc/self/fd")) == before
