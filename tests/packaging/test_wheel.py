"""The wheel holds our rooms and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_brings_our_top_level_packages_and_both_commands(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "tests", "*.egg-info", "images"))
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, source],
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        scripts = next(wheel.read(name).decode() for name in names if name.endswith("entry_points.txt"))

    top_level = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert top_level == {"cosi", "talos", "resources", "controllers", "machined"}
    assert "cosi/py.typed" in names
    assert "cosi = cosi.cli.main:main" in scripts
    assert "machined = machined.main:main" in scripts
