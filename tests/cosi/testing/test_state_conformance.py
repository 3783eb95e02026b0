"""The conformance kit takes ten lines for a backend, and finds the promise that a backend breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

import cosi.testing.state_conformance  # noqa: F401 - the runs inside find it loaded, and are quick

pytest_plugins = ["pytester"]

_BACKEND: Final = """
import pytest
from cosi.resource.metadata import Phase
from cosi.state.memory.state import MemoryState
from cosi.state.state import State
from cosi.testing.state_conformance import StateConformance

class Forgetful(MemoryState):
    async def update(self, resource, *, owner="", expected_phase=Phase.RUNNING):
        return await super().update(resource.with_metadata(resource.metadata.replace(annotations={})),
                                    owner=owner, expected_phase=expected_phase)

class TestBackend(StateConformance):
    FEATURES

    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    @pytest.fixture
    def state(self):
        return State(CORE())
"""


@pytest.fixture
def run(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> _Run:
    root = Path(str(request.config.rootpath))
    pytester.syspathinsert(root)
    return _Run(pytester)


class _Run:
    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester

    def __call__(self, source: str, *arguments: str) -> pytest.RunResult:
        self._pytester.makepyfile(source)
        return self._pytester.runpytest("-p", "no:cacheprovider", *arguments)


def test_a_backend_that_keeps_its_promises_passes(run: _Run) -> None:
    result = run(_BACKEND.replace("CORE", "MemoryState").replace("FEATURES", ""))

    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 100
    assert "failed" not in outcomes
    assert "errors" not in outcomes


def test_the_promise_a_backend_breaks_is_named(run: _Run) -> None:
    result = run(_BACKEND.replace("CORE", "Forgetful").replace("FEATURES", ""))

    assert result.parseoutcomes()["failed"] == 1
    result.stdout.fnmatch_lines(["FAILED *test_an_update_replaces_everything_but_name_and_creation*"])
    # The kit's asserts tell what they compared, as those of a test module do.
    result.stdout.fnmatch_lines(["E *assert {} == {'a': 'b'}"])


def test_what_a_backend_cannot_do_is_skipped_with_the_reason(run: _Run) -> None:
    features = "supports_tail_events = supports_bookmarks = False"

    result = run(_BACKEND.replace("CORE", "MemoryState").replace("FEATURES", features), "-rs", "-k", "tail or bookmark")

    assert set(result.parseoutcomes()) == {"skipped", "deselected"}
    result.stdout.fnmatch_lines(["*can't start a watch with past events", "*can't resume a watch from a bookmark"])


def test_a_suite_without_a_state_says_what_to_do(run: _Run) -> None:
    source = _BACKEND.replace("FEATURES", "").partition("    @pytest.fixture\n    def state")[0]

    result = run(source, "-k", "created_resource_can_be_read")

    result.stdout.fnmatch_lines(["E *TestBackend must override the fixture `state` of the conformance suite"])
