"""Ranges mean what they mean to blang/semver, which Talos asks."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from talos.extensions.versions import MAX_RANGE_CHARACTERS, InvalidVersion, Range, parse_version


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">= v1.0.0", ["1.0.0", "1.10.3"], ["0.14.3", "1.0.0-alpha.1"]),
        (">=1.2.0 <1.3.0 || >1.5.0", ["1.2.5", "1.5.1"], ["1.3.0", "1.5.0"]),
        ("1.2.x", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
        (">1.2.x", ["1.3.0"], ["1.2.9"]),
        ("<=1.2.x", ["1.2.9", "0.1.0"], ["1.3.0"]),
        (">=1.x", ["1.0.0", "2.0.0"], ["0.9.0"]),
        ("<1.x", ["0.9.0"], ["1.0.0"]),
        ("1.x", ["1.0.0", "1.99.0"], ["2.0.0"]),
        ("!=1.2.3", ["1.2.4"], ["1.2.3"]),
        ("!1.2.3", ["1.2.4"], ["1.2.3"]),
        ("!=1.2.x", [], ["1.1.0", "1.2.3", "1.3.0"]),
        ("==1.2.3", ["1.2.3"], ["1.2.4"]),
        ("1.2.3", ["1.2.3"], ["1.2.4"]),
        ("> 1.5.0  < 2.0.0 != 1.5.1", ["1.6.0"], ["1.5.1", "2.0.0"]),
        (">0.15.0-alpha.1", ["0.15.0-alpha.2", "0.15.0"], ["0.15.0-alpha.0"]),
        (">=1.0.0", ["1.5.0-alpha.0"], []),
    ],
)
def test_a_range_holds_what_blang_says_it_holds(text: str, inside: list[str], outside: list[str]) -> None:
    found = Range.parse(text)

    assert [version for version in inside + outside if Version.parse(version) in found] == inside


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "foo",
        ">>1.0.0",
        "1.2",
        ">=1.2",
        "||",
        "1.0.0 ||",
        "|| 1.0.0",
        "1.0.0 || || 2.0.0",
        ">1.5.0||<0.9.0",
        "~1.2.0",
        "^1.2.0",
        ">1.0.0,<2.0.0",
        "=>1.0.0",
        ">=01.0.0",
        "! 1.0.0",
        "x",
        "1.2.3.4",
        ">=1.x.3",
    ],
)
def test_what_blang_refuses_is_refused(text: str) -> None:
    with pytest.raises(InvalidVersion):
        Range.parse(text)


def test_a_range_is_bounded() -> None:
    with pytest.raises(InvalidVersion, match="at most"):
        Range.parse(" ".join([">=1.0.0"] * MAX_RANGE_CHARACTERS))


def test_a_nodes_pre_release_counts_as_its_release() -> None:
    assert Range.parse(">= v1.5.0").admits("v1.5.0-alpha.1")


@pytest.mark.parametrize(("text", "version"), [("v1.10", "1.10.0"), ("1", "1.0.0"), (" v1.2.3-rc.0 ", "1.2.3-rc.0")])
def test_a_nodes_version_may_be_short(text: str, version: str) -> None:
    assert str(parse_version(text)) == version


@pytest.mark.parametrize("text", ["", "latest", "v", "1.2.3.4", "9" * 5000])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidVersion):
        parse_version(text)


numbers = st.integers(0, 30)
versions = st.builds(Version, numbers, numbers, numbers)


@given(versions, versions)
def test_every_operator_agrees_with_the_order_of_versions(bound: Version, version: Version) -> None:
    assert (version in Range.parse(f">={bound}")) == (version >= bound)
    assert (version in Range.parse(f"<{bound}")) == (version < bound)
    assert (version in Range.parse(f"{bound.major}.x")) == (version.major == bound.major)
    assert (version in Range.parse(f"{bound.major}.{bound.minor}.x")) == (version[:2] == bound[:2])


@given(versions, versions, versions)
def test_alternatives_are_a_union_and_neighbours_an_intersection(low: Version, high: Version, version: Version) -> None:
    assert (version in Range.parse(f">={low} <{high}")) == (low <= version < high)
    assert (version in Range.parse(f"<{low} || >={high}")) == (version < low or version >= high)


@given(st.text(alphabet="0123456789.xv<>=!| -", max_size=40))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidVersion):
        assert Range.parse(text).alternatives
