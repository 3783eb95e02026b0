"""Programs that tests run: a test without its program is skipped, but fails where CI promised it."""

import os
import shutil
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


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
