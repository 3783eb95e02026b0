"""A signature is found wherever cosign puts it, and one good signature is enough."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from talos.extensions import oci
from talos.extensions.blobs import BlobStore
from talos.extensions.pull_errors import RegistryUnreachable
from tests.talos.extensions.puller import manifest_of, pulled
from tests.talos.extensions.scripted_registry import Answer, scripted_registry
from tests.talos.extensions.signing import (
    BUNDLE_TYPE,
    SIMPLE_ARTIFACT,
    Attachment,
    Signer,
    digest_in,
    in_a_bundle,
    policy,
    serving,
    simple,
    simple_payload,
)
from tests.talos.registry_server import RegistryServer

pytestmark = pytest.mark.anyio

REPOSITORY = "talos/signed"


async def test_a_signature_is_found_under_the_tag_that_older_cosigns_write(
    registry: RegistryServer, layout: Path, store: BlobStore, signer: Signer
) -> None:
    registry.push(layout, "v1", f"{REPOSITORY}/tag")
    registry.push(layout, simple(layout, signer, digest_in(layout)).tag(digest_in(layout)), f"{REPOSITORY}/tag")

    found = await pulled(f"{registry.host}/{REPOSITORY}/tag:v1", store, trust=policy(f"{registry.host}/*", signer))

    assert all(layer in store for layer in found.layers)


@pytest.mark.parametrize(("attach", "kind"), [(in_a_bundle, BUNDLE_TYPE), (simple, SIMPLE_ARTIFACT)])
async def test_a_signature_is_found_under_the_tag_of_a_registry_without_a_list_of_referrers(
    registry: RegistryServer,
    layout: Path,
    store: BlobStore,
    signer: Signer,
    attach: Callable[[Path, Signer, str], Attachment],
    kind: str,
) -> None:
    repository = f"{REPOSITORY}/fallback-{hashlib.sha256(kind.encode()).hexdigest()[:8]}"
    registry.push(layout, "v1", repository)
    registry.push(layout, attach(layout, signer, digest_in(layout)).fallback(digest_in(layout), kind), repository)

    found = await pulled(f"{registry.host}/{repository}:v1", store, trust=policy(f"{registry.host}/*", signer))

    assert all(layer in store for layer in found.layers)


@pytest.mark.parametrize(("attach", "kind"), [(in_a_bundle, BUNDLE_TYPE), (simple, SIMPLE_ARTIFACT)])
async def test_a_signature_is_found_in_the_registrys_list_of_referrers(
    layout: Path, store: BlobStore, signer: Signer, attach: Callable[[Path, Signer, str], Attachment], kind: str
) -> None:
    digest = digest_in(layout)
    listed = Answer(body=attach(layout, signer, digest).referrers(kind))

    async with scripted_registry(serving(layout, referrers={digest: listed})) as registry:
        found = await pulled(f"{registry.host}/a/b:v1", store, trust=policy(f"{registry.host}/a/*", signer))

    assert found.digest == digest
    assert f"/v2/a/b/manifests/{digest.replace(':', '-')}" not in [asked.path for asked in registry.asked]


@pytest.mark.parametrize("answer", [Answer(body=b"<html>welcome</html>"), Answer(404), Answer(400), Answer(403)])
async def test_a_registry_that_does_not_know_of_referrers_is_asked_for_the_tag(
    layout: Path, store: BlobStore, signer: Signer, answer: Answer
) -> None:
    digest = digest_in(layout)
    in_a_bundle(layout, signer, digest).fallback(digest)

    async with scripted_registry(serving(layout, referrers={digest: answer})) as registry:
        assert await pulled(f"{registry.host}/a/b:v1", store, trust=policy("*", signer))


async def test_signatures_lie_in_a_layout_too(layout: Path, store: BlobStore, signer: Signer) -> None:
    simple(layout, signer, digest_in(layout)).tag(digest_in(layout))

    assert await pulled("oci:layout:v1", store, base=layout.parent, trust=policy(f"oci:{layout}", signer))


@pytest.mark.parametrize("signed", ["index", "manifest"])
async def test_the_index_or_the_platforms_manifest_may_be_what_is_signed(
    tmp_path: Path, images: Path, store: BlobStore, signer: Signer, signed: str
) -> None:
    layout = tmp_path / "layout"
    layout.mkdir()
    for path in images.rglob("*"):
        target = layout / path.relative_to(images)
        target.mkdir(exist_ok=True) if path.is_dir() else target.write_bytes(path.read_bytes())
    index = next(
        each.digest
        for each in oci.parse_index((layout / "index.json").read_bytes()).manifests
        if each.annotations[oci.REFERENCE_NAME] == "multi"
    )
    digest = index if signed == "index" else manifest_of(layout, "multi")[0]
    simple(layout, signer, digest).tag(digest)

    assert (await pulled(f"oci:{layout}:multi", store, trust=policy("oci:*", signer))).digest == index


async def test_one_good_signature_among_bad_ones_is_enough(layout: Path, store: BlobStore, signer: Signer) -> None:
    payload = simple_payload(digest_in(layout))
    bad = Attachment(layout).simple(b"garbage", "garbage").simple(payload, Signer().signature(payload))
    bad.simple(payload, signer.signature(payload)).tag(digest_in(layout))

    assert await pulled(f"oci:{layout}:v1", store, trust=policy("*", Signer(), signer))


async def test_a_registry_that_is_down_for_a_moment_has_not_said_that_there_is_no_signature(
    layout: Path, store: BlobStore, signer: Signer
) -> None:
    listed = {digest_in(layout): Answer(503)}

    async with scripted_registry(serving(layout, referrers=listed)) as registry:
        with pytest.raises(RegistryUnreachable) as caught:
            await pulled(f"{registry.host}/a/b:v1", store, trust=policy("*", signer))

    assert caught.value.transient
