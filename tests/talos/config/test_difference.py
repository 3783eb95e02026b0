"""The diff of two configs is Talos's: same lines, same ranges, and nothing but what they say."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.config.difference import MAX_LINES, config_diff, text_diff

CONFIG = b"version: v1alpha1\nmachine:\n    type: controlplane\n    token: foo\n    certSANs: []\ncluster: null\n"
LINK = b"---\napiVersion: v1alpha1\nkind: SideroLinkConfig\napiUrl: https://example.com\n"


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (b"", b"", ""),
        (CONFIG, CONFIG, ""),
        (
            CONFIG,
            CONFIG + LINK,
            "--- a\n+++ b\n@@ -4,3 +4,7 @@\n     token: foo\n     certSANs: []\n cluster: null\n+---\n"
            "+apiVersion: v1alpha1\n+kind: SideroLinkConfig\n+apiUrl: https://example.com\n",
        ),
        (
            CONFIG + LINK,
            CONFIG.replace(b"controlplane", b"worker") + LINK,
            "--- a\n+++ b\n@@ -1,6 +1,6 @@\n version: v1alpha1\n machine:\n-    type: controlplane\n+    type: worker\n"
            "     token: foo\n     certSANs: []\n cluster: null\n",
        ),
        (b"", b"version: v1alpha1\n", "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+version: v1alpha1\n"),
    ],
)
def test_a_diff_looks_as_talos_prints_it(before: bytes, after: bytes, shown: str) -> None:
    assert config_diff(before, after) == shown


def test_comments_layout_and_the_place_of_the_machine_config_make_no_difference() -> None:
    other = LINK + b"---\n" + CONFIG.replace(b"    ", b"  ").replace(b"[]", b"[] # none") + b"---\n"

    assert config_diff(CONFIG + LINK, other) == ""


def test_changes_far_apart_are_hunks_of_their_own() -> None:
    before = "".join(f"line {number}\n" for number in range(1, 31))
    after = before.replace("line 2\n", "").replace("line 28\n", "line 28\nnew\n")

    assert text_diff(before, after) == (
        "--- a\n+++ b\n@@ -1,5 +1,4 @@\n line 1\n-line 2\n line 3\n line 4\n line 5\n"
        "@@ -26,5 +25,6 @@\n line 26\n line 27\n line 28\n+new\n line 29\n line 30\n"
    )


def test_a_config_that_cannot_be_read_is_compared_as_it_is() -> None:
    assert "-a: [\n" in config_diff(b"a: [", CONFIG)


def test_what_is_too_long_to_compare_is_said_at_once() -> None:
    assert text_diff("a\n" * MAX_LINES, "a\n") == "@@ -1,75000 +1,1 @@ diff too large to display\n"


def test_what_differs_everywhere_is_replaced_as_a_whole_and_at_once() -> None:
    old, new = ["a", "b"] * 9_000, ["b", "a", "a"] * 9_000
    began = time.monotonic()

    shown = text_diff("".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new))

    assert _applied(old, shown.splitlines()[2:]) == new
    assert time.monotonic() - began < 5


lines = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30)


@given(lines, lines)
def test_a_diff_applied_to_the_one_gives_the_other(before: list[str], after: list[str]) -> None:
    shown = text_diff("".join(f"{line}\n" for line in before), "".join(f"{line}\n" for line in after))

    assert _applied(before, shown.splitlines()[2:]) == after


def _applied(before: list[str], diff: list[str]) -> list[str]:
    result, place = [], 0
    for line in diff:
        if line.startswith("@@"):
            start, length = (int(part) for part in line.split()[1][1:].split(","))
            begin = start - 1 if length else start
            result += before[place:begin]
            place = begin
        elif line.startswith("+"):
            result.append(line[1:])
        else:
            assert before[place] == line[1:]
            place += 1
            result += [line[1:]] if line.startswith(" ") else []
    return result + before[place:]
