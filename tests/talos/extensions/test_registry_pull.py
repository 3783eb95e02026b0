"""Images come from a real registry, and every way in which that can fail is told apart."""

import gzip
from pathlib import Path

import pytest

from talos.extensions import oci
from talos.extensions.blobs import BlobStore
from talos.extensions.inspection import inspect
from talos.extensions.pull_errors import (
    DigestMismatch,
    ImageNotFound,
    NotAuthorized,
    PlatformMissing,
    RegistryUnreachable,
)
from tests.talos.extensions.archives import extension, file, image
from tests.talos.extensions.puller import blob, login, manifest_of, pulled
from tests.talos.registry_server import PASSWORD, USER, RegistryServer

pytestmark = pytest.mark.anyio


async def test_an_image_comes_by_its_tag(registry: RegistryServer, images: Path, store: BlobStore) -> None:
    digest = registry.push(images, "multi", "talos/sample", as_tag="v1")

    found = await pulled(f"{registry.host}/talos/sample:v1", store)

    assert found.digest == digest
    assert found.manifest_digest == manifest_of(images, "multi")[0]
    assert inspect(found, store, talos_version="v1.10.0").passed


async def test_an_image_comes_by_the_digest_of_its_index_or_its_manifest(
    registry: RegistryServer, images: Path, store: BlobStore
) -> None:
    index = registry.push(images, "multi", "talos/sample")
    manifest, _ = manifest_of(images, "multi")

    by_index = await pulled(f"{registry.host}/talos/sample@{index}", store)
    by_manifest = await pulled(f"{registry.host}/talos/sample:any@{manifest}", store)

    assert (by_index.digest, by_index.manifest_digest) == (index, manifest)
    assert (by_manifest.digest, by_manifest.manifest_digest) == (manifest, manifest)


async def test_an_image_of_several_layers_comes_whole(registry: RegistryServer, images: Path, store: BlobStore) -> None:
    registry.push(images, "single", "talos/layers", as_tag="v1")

    found = await pulled(f"{registry.host}/talos/layers:v1", store)

    assert len(found.layers) == 2
    assert all(layer in store for layer in found.layers)


async def test_what_is_in_the_store_is_not_fetched_again(
    registry: RegistryServer, tmp_path: Path, store: BlobStore
) -> None:
    described = image(tmp_path / "images", "v1", [extension(file("rootfs/usr/local/unique", b"fetched once"))])
    registry.push(tmp_path / "images", "v1", "talos/once")
    first = await pulled(f"{registry.host}/talos/once:v1", store)
    (layer,) = oci.parse_manifest(blob(tmp_path / "images", described.digest).read_bytes()).layers
    registry.blob(layer.digest).unlink()

    assert await pulled(f"{registry.host}/talos/once:v1", store) == first


async def test_a_missing_tag_is_told(registry: RegistryServer, images: Path, store: BlobStore) -> None:
    registry.push(images, "single", "talos/sample")

    with pytest.raises(ImageNotFound) as caught:
        await pulled(f"{registry.host}/talos/sample:nope", store)

    assert not caught.value.transient
    assert str(caught.value) == (
        f"{registry.host}/talos/sample:nope: {registry.host}/talos/sample has no image nope; check the name and the tag"
    )


async def test_a_missing_platform_is_told(registry: RegistryServer, images: Path, store: BlobStore) -> None:
    registry.push(images, "multi", "talos/sample")

    with pytest.raises(PlatformMissing):
        await pulled(f"{registry.host}/talos/sample:multi", store, platform=oci.Platform("linux", "riscv64"))


async def test_a_blob_changed_in_the_registry_is_refused_and_not_kept(
    registry: RegistryServer, tmp_path: Path, store: BlobStore
) -> None:
    described = image(tmp_path / "images", "v1", [extension(file("rootfs/usr/local/unique", b"tampered with"))])
    registry.push(tmp_path / "images", "v1", "talos/tampered")
    (layer,) = oci.parse_manifest(blob(tmp_path / "images", described.digest).read_bytes()).layers
    stored = registry.blob(layer.digest)
    stored.write_bytes(stored.read_bytes()[:-1] + b"X")

    with pytest.raises(DigestMismatch) as caught:
        await pulled(f"{registry.host}/talos/tampered:v1", store)

    assert caught.value.expected == layer.digest
    assert layer not in store


async def test_a_blob_cut_in_the_registry_is_refused(
    registry: RegistryServer, tmp_path: Path, store: BlobStore
) -> None:
    described = image(tmp_path / "images", "v1", [extension(file("rootfs/usr/local/unique", b"cut short"))])
    registry.push(tmp_path / "images", "v1", "talos/cut")
    (layer,) = oci.parse_manifest(blob(tmp_path / "images", described.digest).read_bytes()).layers
    stored = registry.blob(layer.digest)
    stored.write_bytes(stored.read_bytes()[:-10])

    with pytest.raises(DigestMismatch, match=f"got {layer.size - 10} bytes"):
        await pulled(f"{registry.host}/talos/cut:v1", store)


async def test_a_layer_that_was_pushed_broken_is_pulled_and_then_refused_by_inspection(
    registry: RegistryServer, tmp_path: Path, store: BlobStore
) -> None:
    whole = gzip.compress(extension(file("rootfs/usr/local/x", bytes(range(256)) * 50)))
    image(tmp_path / "images", "v1", [whole[: len(whole) // 2]])
    registry.push(tmp_path / "images", "v1", "talos/broken")

    found = await pulled(f"{registry.host}/talos/broken:v1", store)
    verdict = inspect(found, store, talos_version="v1.10.0")

    assert [fault.layer for fault in verdict.faults] == [found.layers[0].digest]
    assert not verdict.passed


async def test_the_right_password_opens_a_private_registry(
    private_registry: RegistryServer, images: Path, store: BlobStore
) -> None:
    private_registry.push(images, "single", "talos/private", as_tag="v1")
    credentials = login(private_registry.host, USER, PASSWORD)

    found = await pulled(f"{private_registry.host}/talos/private:v1", store, credentials=credentials)

    assert found.platform == "linux/amd64"


async def test_no_password_is_told_with_what_to_do(private_registry: RegistryServer, store: BlobStore) -> None:
    with pytest.raises(NotAuthorized) as caught:
        await pulled(f"{private_registry.host}/talos/private:v1", store)

    assert not caught.value.with_credentials
    assert "wants credentials" in str(caught.value)
    assert 'add them under "auths"' in str(caught.value)


async def test_a_wrong_password_is_told_and_never_shown(private_registry: RegistryServer, store: BlobStore) -> None:
    credentials = login(private_registry.host, USER, "a wrong password")

    with pytest.raises(NotAuthorized) as caught:
        await pulled(f"{private_registry.host}/talos/private:v1", store, credentials=credentials)

    assert caught.value.with_credentials
    assert "a wrong password" not in f"{caught.value!r} {caught.value} {credentials!r}"


async def test_a_registry_that_is_not_there_is_told_and_may_come_back(store: BlobStore) -> None:
    with pytest.raises(RegistryUnreachable) as caught:
        await pulled("127.0.0.1:1/talos/sample:v1", store)

    assert caught.value.transient
    assert str(caught.value) == (
        "127.0.0.1:1/talos/sample:v1: registry 127.0.0.1:1: no connection; it will be tried again"
    )


async def test_no_proxy_stands_before_a_registry_of_this_machine(
    registry: RegistryServer, images: Path, store: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.push(images, "single", "talos/sample", as_tag="v1")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert await pulled(f"{registry.host}/talos/sample:v1", store)
