"""An extension keeps Talos's rules, or every one it breaks is named."""

from pathlib import Path

import pytest

from talos.extensions.layers import read_tree
from talos.extensions.rules import validate
from talos.extensions.verdict import Verdict
from talos.extensions.versions import InvalidVersion
from tests.talos.extensions.archives import (
    MANIFEST,
    archive,
    directory,
    extension,
    file,
    layers,
    symlink,
)


def judged(tmp_path: Path, content: bytes, *, talos_version: str = "v1.10.0") -> Verdict:
    tree, faults = read_tree(layers(tmp_path, content))
    assert not faults
    return validate(tree, talos_version=talos_version)


def rules_of(verdict: Verdict) -> list[tuple[str, str]]:
    return [(fault.rule, fault.path) for fault in verdict.faults]


def test_a_good_extension_passes_with_its_manifest(tmp_path: Path) -> None:
    verdict = judged(tmp_path, extension(file("rootfs/usr/local/bin/x"), symlink("rootfs/usr/lib/firmware/a", "b")))

    assert verdict.passed
    assert verdict.manifest is not None
    assert verdict.manifest.metadata.name == "sample"
    assert verdict.manifest.metadata.compatibility.talos.version == ">= v1.0.0"


def test_every_broken_rule_is_reported(tmp_path: Path) -> None:
    content = archive(
        file("manifest.yaml", MANIFEST.replace(b">= v1.0.0", b"< v1.0.0")),
        file("README.md"),
        file("rootfs/boot/vmlinuz"),
        file("rootfs/usr/local/open", mode=0o666),
        directory("rootfs/usr/local/wide", mode=0o777),
    )

    assert rules_of(judged(tmp_path, content)) == [
        ("unexpected-top-level", "README.md"),
        ("talos-incompatible", "manifest.yaml"),
        ("path-not-allowed", "/boot/vmlinuz"),
        ("world-writable", "/usr/local/open"),
        ("world-writable", "/usr/local/wide"),
    ]


def test_an_empty_image_lacks_everything(tmp_path: Path) -> None:
    assert rules_of(judged(tmp_path, archive())) == [
        ("rootfs-missing", "rootfs"),
        ("manifest-missing", "manifest.yaml"),
    ]


def test_rootfs_and_manifest_must_be_what_they_are_called(tmp_path: Path) -> None:
    content = archive(file("rootfs"), directory("manifest.yaml"))

    assert rules_of(judged(tmp_path, content)) == [
        ("rootfs-missing", "rootfs"),
        ("manifest-missing", "manifest.yaml"),
    ]


@pytest.mark.parametrize(
    ("path", "before_merge", "after_merge"),
    [
        ("/usr/local/bin/x", True, True),
        ("/usr/lib/firmware/x", True, True),
        ("/etc/ld.so.conf.d/x.conf", True, True),
        ("/lib/firmware/x", True, False),
        ("/lib/modules/x.ko", True, False),
        ("/lib64/ld-linux-x86-64.so.2", True, False),
        ("/sbin/ldconfig", True, False),
        ("/usr/lib64/a.so", False, False),
        ("/etc/passwd", False, False),
        ("/etc/extensions.yaml", False, False),
    ],
)
def test_where_files_may_lie_depends_on_the_version(
    tmp_path: Path, path: str, *, before_merge: bool, after_merge: bool
) -> None:
    content = extension(file(f"rootfs{path}"))

    assert judged(tmp_path, content, talos_version="v1.9.5").passed is before_merge
    assert judged(tmp_path, content, talos_version="v1.10.0-alpha.0").passed is after_merge


def test_directories_may_lie_anywhere(tmp_path: Path) -> None:
    assert judged(tmp_path, extension(directory("rootfs/var/lib/x"))).passed


def test_a_range_that_cannot_be_read_is_a_fault(tmp_path: Path) -> None:
    content = archive(file("manifest.yaml", MANIFEST.replace(b">= v1.0.0", b"~1.0")), directory("rootfs"))

    assert rules_of(judged(tmp_path, content)) == [("constraint-malformed", "manifest.yaml")]


def test_an_extension_for_any_version_says_nothing_of_it(tmp_path: Path) -> None:
    content = archive(file("manifest.yaml", MANIFEST.split(b"  compat")[0]), directory("rootfs"))

    assert judged(tmp_path, content).passed


def test_a_node_must_know_its_own_version(tmp_path: Path) -> None:
    with pytest.raises(InvalidVersion):
        judged(tmp_path, extension(), talos_version="latest")
