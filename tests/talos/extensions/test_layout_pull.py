"""Images come from a directory on disk, verified like those of any registry."""

import json
import os
from pathlib import Path

import pytest

from talos.extensions import oci
from talos.extensions.blobs import BlobMissing, BlobStore
from talos.extensions.image import load_image
from talos.extensions.inspection import inspect
from talos.extensions.layout_writer import LayoutWriter
from talos.extensions.oci import Platform
from talos.extensions.pull import Progress
from talos.extensions.pull_errors import (
    DigestMismatch,
    ImageNotFound,
    LayoutMissing,
    MalformedImage,
    PlatformMissing,
    TooLarge,
)
from tests.talos.extensions.archives import LAYER_TYPE, extension, image
from tests.talos.extensions.puller import blob, manifest_of, pulled

pytestmark = pytest.mark.anyio


async def test_the_index_gives_the_platforms_image(images: Path, store: BlobStore) -> None:
    digest, manifest = manifest_of(images, "multi", "arm64")
    progress: list[Progress] = []

    found = await pulled(
        f"oci:{images.name}:multi",
        store,
        base=images.parent,
        platform=Platform("linux", "arm64"),
        progress=progress,
    )

    assert (found.manifest_digest, found.platform) == (digest, "linux/arm64")
    assert found.digest != digest
    assert [layer.digest for layer in found.layers] == [layer["digest"] for layer in manifest["layers"]]  # type: ignore[attr-defined]
    assert progress[0] == Progress(0, found.size)
    assert progress[-1] == Progress(found.size, found.size)
    assert inspect(found, store, talos_version="v1.10.0").passed


async def test_an_image_without_an_index_says_its_platform_itself(images: Path, store: BlobStore) -> None:
    found = await pulled(f"oci:{images}:single", store)

    assert found.digest == found.manifest_digest
    assert found.platform == "linux/amd64"


async def test_a_pulled_image_is_found_again_without_a_source(images: Path, store: BlobStore) -> None:
    found = await pulled(f"oci:{images}:multi", store)

    again = load_image(BlobStore(store.directory), found.manifest_digest)

    assert (again.layers, again.blobs, again.platform) == (found.layers, found.blobs, found.platform)


async def test_garbage_collection_keeps_what_an_image_needs(images: Path, store: BlobStore) -> None:
    kept = await pulled(f"oci:{images}:multi", store)
    dropped = await pulled(f"oci:{images}:single", store)

    store.keep_only(set(kept.blobs))

    assert load_image(store, kept.manifest_digest).layers == kept.layers
    with pytest.raises(BlobMissing):
        load_image(store, dropped.manifest_digest)


async def test_a_digest_names_an_image_too(images: Path, store: BlobStore) -> None:
    digest, _ = manifest_of(images, "single")

    assert (await pulled(f"oci:{images}@{digest}", store)).digest == digest


async def test_a_platform_that_is_not_there_is_told_with_those_that_are(images: Path, store: BlobStore) -> None:
    with pytest.raises(PlatformMissing) as caught:
        await pulled(f"oci:{images}:multi", store, platform=Platform("linux", "s390x"))

    assert caught.value.available == ("linux/amd64", "linux/arm64")
    assert str(caught.value).endswith(
        "not built for linux/s390x, only for linux/amd64, linux/arm64; use an image built for this machine"
    )


async def test_an_image_for_another_platform_is_refused_without_an_index_too(images: Path, store: BlobStore) -> None:
    with pytest.raises(PlatformMissing, match="not built for linux/arm64, only for linux/amd64"):
        await pulled(f"oci:{images}:single", store, platform=Platform("linux", "arm64"))


async def test_a_missing_tag_is_told(images: Path, store: BlobStore) -> None:
    with pytest.raises(ImageNotFound, match="has no image nope; check the name and the tag"):
        await pulled(f"oci:{images}:nope", store)


@pytest.mark.parametrize(("name", "problem"), [("nowhere", "does not exist"), ("", "is no OCI image layout")])
async def test_a_missing_layout_is_told(tmp_path: Path, store: BlobStore, name: str, problem: str) -> None:
    with pytest.raises(LayoutMissing, match=problem):
        await pulled(f"oci:{tmp_path / name}:v1", store)


async def test_an_index_that_cannot_be_read_is_told(tmp_path: Path, store: BlobStore) -> None:
    LayoutWriter(tmp_path / "images")
    (tmp_path / "images/index.json").write_text("{")

    with pytest.raises(MalformedImage, match="cannot be read"):
        await pulled("oci:images:v1", store, base=tmp_path)


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
async def test_a_changed_blob_is_refused_and_not_kept(tmp_path: Path, store: BlobStore, part: str) -> None:
    described = image(tmp_path / "images", "v1", [extension()])
    manifest = oci.parse_manifest(blob(tmp_path / "images", described.digest).read_bytes())
    changed = {"manifest": described, "config": manifest.config, "layer": manifest.layers[0]}[part]
    path = blob(tmp_path / "images", changed.digest)
    path.write_bytes(path.read_bytes()[:-1] + b"X")

    with pytest.raises(DigestMismatch) as caught:
        await pulled("oci:images:v1", store, base=tmp_path)

    assert caught.value.expected == changed.digest
    assert changed not in store


@pytest.mark.parametrize("change", [-1, +1])
async def test_a_blob_of_another_size_is_refused(tmp_path: Path, store: BlobStore, change: int) -> None:
    described = image(tmp_path / "images", "v1", [extension()])
    (layer,) = oci.parse_manifest(blob(tmp_path / "images", described.digest).read_bytes()).layers
    path = blob(tmp_path / "images", layer.digest)
    path.write_bytes((path.read_bytes() + b"X")[: layer.size + change])

    with pytest.raises(DigestMismatch, match=f"expected {layer.size} bytes"):
        await pulled("oci:images:v1", store, base=tmp_path)


async def test_a_fifo_among_the_blobs_holds_nobody_up(tmp_path: Path, store: BlobStore) -> None:
    described = image(tmp_path / "images", "v1", [extension()])
    blob(tmp_path / "images", described.digest).unlink()
    os.mkfifo(blob(tmp_path / "images", described.digest))

    with pytest.raises(MalformedImage, match="no regular file"):
        await pulled("oci:images:v1", store, base=tmp_path)


def written(layout: Path, manifest: dict[str, object]) -> None:
    writer = LayoutWriter(layout)
    writer.tag(writer.add(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json"), "v1")


def promised(size: int, media_type: str = LAYER_TYPE) -> dict[str, object]:
    return {"mediaType": media_type, "digest": "sha256:" + "0" * 64, "size": size}


@pytest.mark.parametrize(
    ("layers", "what"),
    [
        ([promised(oci.MAX_BLOB_BYTES + 1)], "the size of layer"),
        ([promised(oci.MAX_BLOB_BYTES)] * 3, "the size of all layers"),
        ([promised(1)] * (oci.MAX_LAYERS + 1), "the number of layers"),
    ],
)
async def test_an_image_over_a_bound_is_refused_before_a_byte_of_it_comes(
    tmp_path: Path, store: BlobStore, layers: list[dict[str, object]], what: str
) -> None:
    written(tmp_path, {"schemaVersion": 2, "config": promised(2), "layers": layers})

    with pytest.raises(TooLarge, match=what):
        await pulled(f"oci:{tmp_path}:v1", store)


async def test_an_index_of_indexes_is_refused(tmp_path: Path, store: BlobStore) -> None:
    writer = LayoutWriter(tmp_path)
    inner = writer.add(b'{"schemaVersion":2,"manifests":[]}', "application/vnd.oci.image.index.v1+json")
    entry = {
        "mediaType": inner.media_type,
        "digest": inner.digest,
        "size": inner.size,
        "platform": {"os": "linux", "architecture": "amd64"},
    }
    written(tmp_path, {"schemaVersion": 2, "manifests": [entry]})

    with pytest.raises(MalformedImage, match="an index points at another index"):
        await pulled(f"oci:{tmp_path}:v1", store)
