"""manifest.yaml is read as Go would read it, and its mistakes are named."""

import pytest
from pydantic import ValidationError

from talos.extensions.manifest import MAX_MANIFEST_BYTES, parse_manifest

GOOD = b"""\
version: v1alpha1
metadata:
  name: gvisor
  version: 1.0
  author: somebody
  description: |
    two
    lines
  compatibility:
    talos:
      version: ">= v1.0.0"
  extraInfo: more
  newer: unknown
"""


def test_all_fields_are_read_and_numbers_keep_their_spelling() -> None:
    manifest, faults = parse_manifest(GOOD)

    assert not faults
    assert manifest is not None
    assert manifest.model_dump(by_alias=True) == {
        "version": "v1alpha1",
        "metadata": {
            "name": "gvisor",
            "version": "1.0",
            "author": "somebody",
            "description": "two\nlines\n",
            "compatibility": {"talos": {"version": ">= v1.0.0"}},
            "extraInfo": "more",
        },
    }


def test_a_manifest_cannot_be_changed() -> None:
    manifest, _ = parse_manifest(GOOD)

    assert manifest is not None
    with pytest.raises(ValidationError):
        manifest.version = "v2"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (b"", ["line 1: this is not one mapping"]),
        (b"[]", ["line 1: this is not one mapping"]),
        (b"a: 1\n---\nb: 2\n", ["line 1: this is not one mapping"]),
        (b"a: [", ["line 1: not YAML: did not find expected node content"]),
        (
            b"version: v1alpha1\n",
            ["line 1: metadata.name: missing", "line 1: metadata.version: missing"],
        ),
        (GOOD.replace(b"v1alpha1", b"v2"), ['line 1: version: "v2" is not supported']),
        (GOOD.replace(b"version: v1alpha1", b"x: y"), ["line 1: version: missing"]),
        (GOOD.replace(b"name: gvisor", b"name: [a]"), ["line 3: metadata.name: this is a list"]),
        (GOOD.replace(b"name: gvisor", b'name: ""'), ["line 3: metadata.name: missing"]),
        (GOOD.replace(b"author: somebody", b"author: {}"), ["line 5: metadata.author: this is a mapping"]),
        (GOOD.replace(b"name: gvisor", b"name: a\n  name: b"), ['line 4: metadata.name: the key "name" is given twice'
                                                                ", first on line 3"]),
        (b"version: v1alpha1\nmetadata: 1\n", ["line 2: metadata: this is a single value, not a mapping"]),
        (
            GOOD.replace(b"name: gvisor", b"name: " + b"x" * 300),
            ["line 3: metadata.name: longer than 256 characters, or not in one line"],
        ),
        (b"#" * (MAX_MANIFEST_BYTES + 1), ["line 1: the text is 65537 bytes long, 65536 are allowed"]),
    ],
)  # fmt: skip
def test_every_mistake_is_named(text: bytes, problems: list[str]) -> None:
    manifest, faults = parse_manifest(text)

    assert manifest is None
    assert [fault.problem for fault in faults] == problems
    assert all(fault.path == "manifest.yaml" and fault.remedy for fault in faults)
