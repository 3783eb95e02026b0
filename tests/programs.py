"""Programs that tests run: a test without its program is skipped, but fails where CI promised it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KERNEL = Path(__file__).resolve().parents[1] / ".venv/test-kernel"


def needed(program: str) -> str:
    """Return where a program lies."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        _missing(f"{program} is not installed: sh tools/debian_packages.sh")
    assert found is not None
    return found


def needed_kernel() -> Path:
    """Return the directory with a kernel to boot (`kernel`) and its modules (`unpacked/lib/modules`)."""
    if not (KERNEL / "kernel").exists():
        _missing("there is no kernel to boot: sh tools/test_kernel.sh .venv/test-kernel")
    return KERNEL


def may_mount() -> bool:
    """Tell whether this machine lets this user mount images; where it does not, no program can change that."""
    probe = [needed("unshare"), "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return Path("/dev/loop-control").exists() and subprocess.run(probe, capture_output=True).returncode == 0


def may_have_namespaces() -> bool:
    """Tell whether this machine lets this user lay overlays in a user namespace."""
    script = "mount -t tmpfs none /mnt && mkdir /mnt/a /mnt/b /mnt/c && "
    script += "mount -t overlay -o lowerdir=/mnt/a:/mnt/b none /mnt/c"
    probe = [needed("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", script]
    return subprocess.run(probe, capture_output=True).returncode == 0


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
