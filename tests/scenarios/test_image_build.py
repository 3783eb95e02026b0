"""`machined image build` adds extensions to an initramfs, or writes nothing and says every reason."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from machined.main import cli
from tests.programs import needed
from tests.talos.extensions import archives, boot_files
from tests.talos.extensions.archives import device, extension, file


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an initramfs and a layout `images`, which is where commands run."""
    boot_files.initramfs(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    archives.image(tmp_path / "images", "one", [extension(file("rootfs/usr/local/one"), file("rootfs/usr/local/same"))])
    archives.image(tmp_path / "images", "two", [extension(file("rootfs/usr/local/two"), file("rootfs/usr/local/same"))])
    bad = extension(
        file("rootfs/boot/vmlinuz"), file("rootfs/usr/local/open", mode=0o666), device("rootfs/usr/local/d")
    )
    archives.image(tmp_path / "images", "bad", [bad])
    return tmp_path


def build(*references: str, version: str = "v1.11.0") -> Result:
    extensions = [word for reference in references for word in ("--extension", reference)]
    arguments = ["--initramfs", "initramfs.img", "--output", "out.img", "--talos-version", version]
    return CliRunner().invoke(cli, ["image", "build", *arguments, "--platform", "linux/amd64", *extensions])


def test_the_kernel_finds_the_extensions_behind_what_was_there(site: Path) -> None:
    result = build("oci:images:one", "oci:images:two")

    assert result.exit_code == 0, result.output
    assert "000.oci-images-one.sqsh  sample v1.2.3" in result.output
    assert "warning: /usr/local/same: also in 001.oci-images-two; the node sees that of 000.oci-images-one" in (
        result.output
    )
    original, whole = (site / "initramfs.img").read_bytes(), (site / "out.img").read_bytes()
    assert whole.startswith(original)
    (site / "added.zst").write_bytes(whole.removeprefix(original))
    plain = subprocess.run([needed("zstd"), "-dc", "added.zst"], capture_output=True, check=True).stdout
    assert list(boot_files.unpacked(plain)) == [
        "extensions.yaml",
        "000.oci-images-one.sqsh",
        "001.oci-images-two.sqsh",
    ]


def test_a_second_build_of_the_same_does_nothing_until_something_changes(site: Path) -> None:
    first = build("oci:images:one")
    made = (site / "out.img").stat()

    second = build("oci:images:one")

    assert "out.img is up to date" in second.output
    assert (site / "out.img").stat().st_mtime_ns == made.st_mtime_ns
    assert first.stdout == second.stdout
    (site / "out.img").write_bytes(b"something else")
    assert "up to date" not in build("oci:images:one").output
    assert "up to date" not in build("oci:images:one", version="v1.10.0").output


def test_what_the_trust_policy_refuses_is_not_built(site: Path) -> None:
    (site / "policy.yaml").write_text("default: refuse\nrules: []\n")
    arguments = ["--initramfs", "initramfs.img", "--output", "out.img", "--extension", "oci:images:one"]

    result = CliRunner().invoke(cli, ["image", "build", *arguments, "--trust-policy", "policy.yaml"])

    assert result.exit_code == 1
    assert "no rule is for" in result.output
    assert not (site / "out.img").exists()


def test_a_trust_policy_that_cannot_be_read_lets_nothing_through(site: Path) -> None:
    (site / "policy.yaml").write_text("rules: [{repository: '*', keys: [no key]}]\n")
    arguments = ["--initramfs", "initramfs.img", "--output", "out.img", "--extension", "oci:images:one"]

    result = CliRunner().invoke(cli, ["image", "build", *arguments, "--trust-policy", "policy.yaml"])

    assert result.exit_code == 1
    assert "policy.yaml" in result.output
    assert not (site / "out.img").exists()


def test_every_fault_is_told_and_nothing_is_written(site: Path) -> None:
    result = build("oci:images:one", "oci:images:bad")

    assert result.exit_code == 1
    assert "3 faults" in result.output
    for rule in ("path-not-allowed", "world-writable", "special-file"):
        assert f"[{rule}]" in result.output
    assert result.output.count("oci:images:bad: ") == 3
    assert not (site / "out.img").exists()


def test_all_images_that_cannot_be_had_are_told_at_once(site: Path) -> None:
    result = build("oci:images:gone", "oci:nowhere:x", "oci:images:one")

    assert result.exit_code == 1
    assert "2 faults" in result.output
    assert "has no image gone" in result.output
    assert "nowhere does not exist" in result.output
    assert not (site / "out.img").exists()


def test_references_are_read_before_anything_is_pulled(site: Path) -> None:
    result = build("UPPER/x:tag:", "oci:images:one", "oci:images:one")

    assert result.exit_code == 1
    assert "2 faults" in result.output
    assert "given twice" in result.output
    assert "pulling" not in result.output


def test_an_extension_for_another_talos_is_refused(site: Path) -> None:
    result = build("oci:images:one", version="v0.14.0")

    assert result.exit_code == 1
    assert "[talos-incompatible]" in result.output


@pytest.mark.parametrize("version", ["latest", "v1.x"])
def test_a_version_that_is_none_is_refused(site: Path, version: str) -> None:
    result = build("oci:images:one", version=version)

    assert result.exit_code == 1
    assert "this is no version" in result.output


def test_a_place_that_is_not_there_is_told(site: Path) -> None:
    machined = str(Path(sys.executable).parent / "machined")
    options = ["--initramfs", "initramfs.img", "--output", "no/such/out.img", "--extension", "oci:images:one"]

    finished = subprocess.run([machined, "image", "build", *options], capture_output=True, text=True, check=False)

    assert finished.returncode == 1
    assert "no/such" in finished.stderr.splitlines()[-1]
    assert "Traceback" not in finished.stderr


def test_a_second_build_reads_no_image_again(site: Path) -> None:
    first = build("oci:images:one")
    before = (site / "out.img").read_bytes()
    blobs = site / "images/blobs/sha256"
    layers = [path for path in blobs.iterdir() if not path.read_bytes().startswith(b"{")]
    for path in layers:
        path.unlink()  # what is in the cache is not asked for

    second = build("oci:images:one")

    assert (first.exit_code, second.exit_code) == (0, 0), second.output
    assert (site / "out.img").read_bytes() == before
