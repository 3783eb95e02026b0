"""An author goes from nothing to an image that keeps every rule, and is told each one that it breaks."""

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from machined.main import cli
from talos.extensions.oci import Platform
from tests.programs import needed
from tests.talos.extensions import boot_files
from tests.talos.registry_server import PASSWORD, USER, RegistryServer


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the author works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def machined(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def start(site: Path) -> Path:
    """Start an extension with one file."""
    assert machined("extension", "init", "hello").exit_code == 0
    program = site / "hello/rootfs/usr/local/bin/hello"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    return site / "hello"


def test_a_new_extension_becomes_an_image_for_two_platforms(site: Path) -> None:
    start(site)

    built = machined("extension", "build", "hello", "--output", "images")

    assert built.exit_code == 0, built.output
    assert built.output.startswith("oci:images:v0.1.0  sha256:")
    for platform in ("linux/amd64", "linux/arm64"):
        valid = machined("extension", "validate", "oci:images:v0.1.0", "--platform", platform)
        assert valid.stdout == "oci:images:v0.1.0: hello v0.1.0 keeps every rule\n"


def test_the_same_directory_makes_the_same_image(site: Path) -> None:
    directory = start(site)

    first = machined("extension", "build", "hello", "--output", "images", "--tag", "x").output
    os.utime(directory / "rootfs/usr/local/bin/hello", (0, 0))
    second = machined("extension", "build", "hello", "--output", "others", "--tag", "x").output

    assert first.split()[1] == second.split()[1]


def test_every_fault_is_told_at_build_time_and_nothing_is_written(site: Path) -> None:
    directory = start(site)
    (directory / "rootfs/boot").mkdir()
    (directory / "rootfs/boot/vmlinuz").write_text("")
    (directory / "rootfs/etc").mkdir()
    (directory / "rootfs/etc/passwd").write_text("")
    (directory / "manifest.yaml").write_text("version: v1alpha1\nmetadata:\n  name: hello\n  version: v1\n"
                                             "  compatibility: {talos: {version: '>= v9.0.0'}}\n")  # fmt: skip

    built = machined("extension", "build", "hello", "--output", "images")
    judged = machined("extension", "validate", "hello")

    assert (built.exit_code, judged.exit_code) == (1, 1)
    assert built.output == judged.output
    for fault in ("/boot/vmlinuz", "/etc/passwd", "talos-incompatible"):
        assert fault in built.output
    assert not (site / "images").exists()


def test_init_never_writes_into_what_is_there(site: Path) -> None:
    directory = start(site)
    (directory / "manifest.yaml").write_text("mine")

    again = machined("extension", "init", "hello")

    assert again.exit_code == 1
    assert "there is something already" in again.output
    assert (directory / "manifest.yaml").read_text() == "mine"


def test_inspect_shows_what_is_inside(site: Path) -> None:
    start(site)
    machined("extension", "build", "hello", "--output", "images")

    shown = machined("extension", "inspect", "oci:images:v0.1.0").output

    assert "name      hello" in shown
    assert "talos     >= v1.5.0" in shown
    assert "0644           10  rootfs/usr/local/bin/hello" in shown


def test_a_tag_that_is_none_is_refused_before_anything_is_written(site: Path) -> None:
    start(site)

    built = machined("extension", "build", "hello", "--output", "images", "--tag", "no tag")

    assert built.exit_code == 1
    assert '"no tag" is no tag' in built.output
    assert not (site / "images").exists()


def test_an_image_made_by_umoci_works_the_same(site: Path) -> None:
    directory = start(site)
    layout = site / "images"
    for arguments in (
        ["init", "--layout", str(layout)],
        ["new", "--image", f"{layout}:made"],
        ["insert", "--rootless", "--image", f"{layout}:made", str(directory / "manifest.yaml"), "/manifest.yaml"],
        ["insert", "--rootless", "--image", f"{layout}:made", str(directory / "rootfs"), "/rootfs"],
    ):
        subprocess.run([needed("umoci"), *arguments], check=True, capture_output=True)
    boot_files.initramfs(site)
    platform = ("--platform", str(Platform.of_this_machine()))

    valid = machined("extension", "validate", "oci:images:made", *platform)
    built = machined(
        "image", "build", "--initramfs", "initramfs.img", "--output", "out", "--extension", "oci:images:made", *platform
    )

    assert valid.stdout == "oci:images:made: hello v0.1.0 keeps every rule\n", valid.output
    assert built.exit_code == 0, built.output
    assert "000.oci-images-made.sqsh  hello v0.1.0" in built.output


def test_a_pushed_image_is_pulled_again_for_every_platform(site: Path, registry: RegistryServer) -> None:
    start(site)
    built = machined("extension", "build", "hello", "--output", "images")
    target = f"{registry.host}/authors/hello:v0.1.0"

    first, again = (machined("extension", "push", "oci:images:v0.1.0", target) for _ in range(2))

    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    assert first.stdout == again.stdout == f"{target}  {built.output.split()[1]}\n"
    for platform in ("linux/amd64", "linux/arm64"):
        valid = machined("extension", "validate", target, "--platform", platform)
        assert valid.stdout == f"{target}: hello v0.1.0 keeps every rule\n"


def test_pushing_where_a_password_is_wanted_takes_the_one_of_docker_login(
    site: Path, private_registry: RegistryServer
) -> None:
    start(site)
    machined("extension", "build", "hello", "--output", "images")
    target = f"{private_registry.host}/authors/hello:v0.1.0"

    refused = machined("extension", "push", "oci:images:v0.1.0", target)
    login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (site / "config.json").write_text(json.dumps({"auths": {private_registry.host: {"auth": login}}}))
    granted = machined("extension", "push", "oci:images:v0.1.0", target)

    assert refused.exit_code == 1
    assert "wants credentials" in refused.output
    assert granted.exit_code == 0, granted.output
    assert PASSWORD not in refused.output + granted.output


@pytest.mark.parametrize(
    ("source", "target", "problem"),
    [
        ("oci:images:gone", "localhost:1/x:y", "does not exist"),
        ("docker.io/x:y", "localhost:1/x:y", "this is not in a layout"),
        ("oci:images:x", "oci:others:x", "this is no place on a registry"),
        ("oci:images:x", f"localhost:1/x@sha256:{'0' * 64}", "this is no place on a registry"),
    ],
)
def test_what_cannot_be_pushed_is_told(source: str, target: str, problem: str) -> None:
    refused = machined("extension", "push", source, target)

    assert refused.exit_code == 1
    assert problem in refused.output
