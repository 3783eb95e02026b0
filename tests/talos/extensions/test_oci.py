"""Documents of images are read strictly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talos.extensions import oci
from talos.extensions.oci import Index, MalformedDocument, Manifest, Platform

DIGEST = "sha256:" + "0" * 64
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 10}
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 2}
MANIFEST = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER]}
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def entry(os: str, architecture: str, variant: str = "") -> dict[str, object]:
    platform = {"os": os, "architecture": architecture} | ({"variant": variant} if variant else {})
    return {"mediaType": DOCKER_MANIFEST, "digest": DIGEST, "size": 1, "platform": platform}


def index(*entries: dict[str, object]) -> dict[str, object]:
    return {"schemaVersion": 2, "manifests": entries}


def parse(document: object) -> Index | Manifest:
    return oci.parse_document(json.dumps(document).encode())


@pytest.mark.parametrize("media_type", [None, "application/vnd.oci.image.manifest.v1+json", DOCKER_MANIFEST])
def test_a_manifest_is_read_in_both_dialects(media_type: str | None) -> None:
    manifest = parse(MANIFEST | ({"mediaType": media_type} if media_type else {}))

    assert isinstance(manifest, Manifest)
    assert manifest.layer_bytes == 10


@pytest.mark.parametrize("media_type", [None, INDEX_TYPE, DOCKER_LIST])
def test_an_index_is_read_in_both_dialects(media_type: str | None) -> None:
    assert isinstance(parse(index() | ({"mediaType": media_type} if media_type else {})), Index)


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({}, "neither an index nor a manifest"),
        (MANIFEST | index(), "both at once"),
        ({"schemaVersion": 1, "fsLayers": []}, "schema 1"),
        (MANIFEST | {"mediaType": INDEX_TYPE}, "a manifest calls itself"),
        (index() | {"mediaType": DOCKER_MANIFEST}, "an index calls itself"),
        (MANIFEST | {"schemaVersion": 3}, "schemaVersion 3"),
        (MANIFEST | {"layers": []}, "no layers"),
        (MANIFEST | {"layers": [LAYER | {"size": -1}]}, "negative"),
        (MANIFEST | {"layers": [LAYER | {"size": "1"}]}, "cannot be read"),
        (MANIFEST | {"layers": [LAYER | {"digest": "sha256:../x"}]}, "no sha256"),
        (MANIFEST | {"layers": [LAYER | {"mediaType": "application/x-helm"}]}, "holds no files"),
        (index(*[entry("linux", "amd64")] * (oci.MAX_INDEX_ENTRIES + 1)), "at most"),
        ([], "cannot be read"),
    ],
)
def test_what_is_no_image_is_refused_with_a_reason(document: object, complaint: str) -> None:
    with pytest.raises(MalformedDocument, match=complaint):
        parse(document)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"x":' * 100_000])
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedDocument, match="cannot be read"):
        oci.parse_document(raw)


def test_attestations_are_neither_chosen_nor_offered() -> None:
    found = parse(index(entry("unknown", "unknown"), entry("linux", "arm64")))

    assert isinstance(found, Index)
    assert found.platforms == ("linux/arm64",)
    assert found.select(Platform("linux", "amd64")) is None


@pytest.mark.parametrize(
    ("wanted", "offered", "accepted"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/amd64", "windows/amd64", False),
    ],
)
def test_a_missing_variant_is_the_usual_one(wanted: str, offered: str, *, accepted: bool) -> None:
    assert Platform.parse(wanted).accepts(Platform.parse(offered)) is accepted


@pytest.mark.parametrize("text", ["linux", "linux/", "a/b/c/d", ""])
def test_what_is_no_platform_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="OS/ARCHITECTURE"):
        Platform.parse(text)


@given(
    st.binary(max_size=100) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises(MalformedDocument):
        oci.parse_document(raw)
