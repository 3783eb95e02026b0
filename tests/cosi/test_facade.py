"""Whoever writes controllers imports from `cosi`; whoever imports `cosi` pays for what they use."""

import subprocess
import sys

import pytest

import cosi


def test_every_name_is_there() -> None:
    assert cosi.__all__ == sorted(cosi.__all__)
    for name in cosi.__all__:
        assert getattr(cosi, name).__module__.startswith("cosi.") or name == "SYSTEM"


def test_importing_it_imports_nothing_heavy() -> None:
    script = "import sys, cosi; print(sorted({'pydantic', 'anyio', 'msgspec', 'structlog', 'grpc'} & set(sys.modules)))"

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert shown == "[]\n"


def test_what_is_not_there_is_said_as_always() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_this_name'"):
        cosi.nothing_of_this_name  # noqa: B018
