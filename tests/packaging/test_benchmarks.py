"""Every benchmark that is spoken of can be run."""

import importlib.util
import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[2] / "benchmarks/README.md").read_text()


@pytest.mark.parametrize("module", re.findall(r"^python -m (\S+)", README, flags=re.MULTILINE))
def test_a_benchmark_of_the_readme_exists(module: str) -> None:
    assert importlib.util.find_spec(module) is not None
