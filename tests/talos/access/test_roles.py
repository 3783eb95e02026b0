"""Who may call what is as Talos has it: `rules.txt` lists its rules, method by method."""

from pathlib import Path

import pytest

from talos.access import roles

RULES = {
    method: frozenset(allowed)
    for method, *allowed in (line.split() for line in (Path(__file__).parent / "rules.txt").read_text().splitlines())
}


@pytest.mark.parametrize(("path", "expected"), RULES.items(), ids=RULES)
def test_a_method_is_for_those_that_talos_allows_it_to(path: str, expected: frozenset[str]) -> None:
    _, service, method = path.split("/")

    assert roles.allowed(service, method) == expected


def test_no_other_method_is_known() -> None:
    known = {f"/{service}/{method}" for service, methods in roles.METHODS.items() for method in methods}

    assert known == set(RULES)


def test_what_nobody_knows_is_for_administrators() -> None:
    assert roles.allowed("machine.MachineService", "Dance") == {"os:admin"}
