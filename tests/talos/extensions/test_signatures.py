"""A signature is found wherever cosign puts it, and an image without a good one leaves none of its files behind."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from talos.extensions import oci
from talos.extensions.blobs import BlobStore
from talos.extensions.pull_errors import RegistryUnreachable, Untrusted
from talos.extensions.signatures import MAX_LOOKED_AT
from talos.extensions.signed_payload import MAX_PAYLOAD_BYTES
from talos.extensions.trust import TrustPolicy
from tests.talos.extensions.archives import extension, file, image
from tests.talos.extensions.puller import blob, manifest_of, pulled
from tests.talos.extensions.scripted_registry import Answer, scripted_registry
from tests.talos.extensions.signing import (
    BUNDLE_TYPE,
    SIMPLE_ARTIFACT,
    Attachment,
    Signer,
    bundle,
    other_digest,
    policy,
    serving,
    simple_payload,
)
from tests.talos.registry_server import RegistryServer

pytestmark = pytest.mark.anyio

REPOSITORY = "talos/signed"


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout with one image, `v1`, that no other test has."""
    content = str(tmp_path).encode()
    image(tmp_path / "layout", "v1", [extension(file("rootfs/usr/local/signed", content))])
    return tmp_path / "layout"


def digest_in(layout: Path) -> str:
    return manifest_of(layout, "v1")[0]


def layers_in(layout: Path) -> tuple[oci.Descriptor, ...]:
    return oci.parse_manifest(blob(layout, digest_in(layout)).read_bytes()).layers


def simple(layout: Path, signer: Signer, digest: str) -> Attachment:
    payload = simple_payload(digest)
    return Attachment(layout).simple(payload, signer.signature(payload))


def in_a_bundle(layout: Path, signer: Signer, digest: str) -> Attachment:
    return Attachment(layout).bundle(bundle(signer, digest))


async def refusal(reference: str, store: BlobStore, trust: TrustPolicy, layout: Path, base: Path | None = None) -> str:
    """Pull, and return why that was refused, having seen that no layer came."""
    with pytest.raises(Untrusted) as caught:
        await pulled(reference, store, base=base or Path("/nonexistent"), trust=trust)

    assert not any(layer in store for layer in layers_in(layout))
    return str(caught.value)


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


async def test_an_unsigned_image_is_refused_by_name(registry: RegistryServer, layout: Path, store: BlobStore) -> None:
    signer = Signer()
    reference = f"{registry.host}/{REPOSITORY}/unsigned:v1"
    digest = registry.push(layout, "v1", f"{REPOSITORY}/unsigned")

    told = await refusal(reference, store, policy(f"{registry.host}/{REPOSITORY}/*", signer), layout)

    assert told == (
        f'{reference}: refused by the trust rule "{registry.host}/{REPOSITORY}/*": {digest} is not signed; sign it '
        f"with `cosign sign --key` and the private half of {signer.public.fingerprint}, or correct the rule's keys"
    )


def _with_another_key(layout: Path, signer: Signer, digest: str) -> None:
    simple(layout, Signer(), digest).tag(digest)


def _for_another_image(layout: Path, signer: Signer, digest: str) -> None:
    simple(layout, signer, other_digest()).tag(digest)


def _bundle_for_another_image(layout: Path, signer: Signer, digest: str) -> None:
    in_a_bundle(layout, signer, other_digest()).fallback(digest)


def _changed_afterwards(layout: Path, signer: Signer, digest: str) -> None:
    signature = signer.signature(simple_payload(other_digest()))
    Attachment(layout).simple(simple_payload(digest), signature).tag(digest)


def _changed_in_its_place(layout: Path, signer: Signer, digest: str) -> None:
    attachment = simple(layout, signer, digest)
    attachment.tag(digest)
    path = blob(layout, attachment.layers[0].digest)
    path.write_bytes(path.read_bytes().replace(b"registry", b"Registry"))


def _longer_than_promised(layout: Path, signer: Signer, digest: str) -> None:
    attachment = simple(layout, signer, digest)
    attachment.tag(digest)
    blob(layout, attachment.layers[0].digest).write_bytes(bytes(5 * 1024 * 1024))


def _missing(layout: Path, signer: Signer, digest: str) -> None:
    attachment = simple(layout, signer, digest)
    attachment.tag(digest)
    blob(layout, attachment.layers[0].digest).unlink()


def _huge(layout: Path, signer: Signer, digest: str) -> None:
    payload = simple_payload(digest) + b" " * MAX_PAYLOAD_BYTES
    Attachment(layout).simple(payload, signer.signature(payload)).tag(digest)


def _no_base64(layout: Path, signer: Signer, digest: str) -> None:
    Attachment(layout).simple(simple_payload(digest), "☂").tag(digest)


def _garbage_that_is_signed(layout: Path, signer: Signer, digest: str) -> None:
    Attachment(layout).simple(b"\xff{", signer.signature(b"\xff{")).tag(digest)


def _garbage_for_a_manifest(layout: Path, signer: Signer, digest: str) -> None:
    attachment = Attachment(layout)
    attachment.writer.tag(attachment.writer.add(b"[", "x"), digest.replace(":", "-") + ".sig")


def _garbage_for_a_list(layout: Path, signer: Signer, digest: str) -> None:
    attachment = Attachment(layout)
    attachment.writer.tag(attachment.writer.add(b'{"manifests": 7}', "x"), digest.replace(":", "-"))


def _an_attestation(layout: Path, signer: Signer, digest: str) -> None:
    content = bundle(signer, digest, predicate="https://cosign.sigstore.dev/attestation/vuln/v1")
    Attachment(layout).bundle(content).fallback(digest)


def _a_list_to_nothing(layout: Path, signer: Signer, digest: str) -> None:
    attachment = in_a_bundle(layout, signer, digest)
    attachment.fallback(digest)
    blob(layout, attachment.manifest(BUNDLE_TYPE).digest).unlink()


@pytest.mark.parametrize(
    ("attach", "reason"),
    [
        (_with_another_key, "the signature was made with another key, or what it signs was changed"),
        (_changed_afterwards, "the signature was made with another key, or what it signs was changed"),
        (_for_another_image, f"the signature is for '{other_digest()}', which is another image"),
        (_bundle_for_another_image, f"the signature is for '{other_digest()}', which is another image"),
        (_changed_in_its_place, "is damaged"),
        (_longer_than_promised, "is damaged"),
        (_missing, "has no image sha256:"),
        (_huge, f"bytes, at most {MAX_PAYLOAD_BYTES} are read"),
        (_no_base64, "the signature is not base64"),
        (_garbage_that_is_signed, "what is signed cannot be read"),
        (_garbage_for_a_manifest, "the manifest cannot be read"),
        (_garbage_for_a_list, "the list of referrers cannot be read"),
        (_an_attestation, "attestation/vuln/v1', which is no image's signature"),
        (_a_list_to_nothing, "is missing or damaged"),
    ],
)
async def test_what_does_not_speak_for_the_image_is_refused_with_the_reason(
    layout: Path, store: BlobStore, signer: Signer, attach: Callable[[Path, Signer, str], None], reason: str
) -> None:
    attach(layout, signer, digest_in(layout))

    async with scripted_registry(serving(layout, referrers={})) as registry:
        remote = await refusal(f"{registry.host}/a/b:v1", store, policy("*", signer), layout)
    local = await refusal("oci:layout:v1", store, policy("*", signer), layout, layout.parent)

    assert reason in local
    assert "has no signature that counts" in remote


async def test_one_good_signature_among_bad_ones_is_enough(layout: Path, store: BlobStore, signer: Signer) -> None:
    payload = simple_payload(digest_in(layout))
    bad = Attachment(layout).simple(b"garbage", "garbage").simple(payload, Signer().signature(payload))
    bad.simple(payload, signer.signature(payload)).tag(digest_in(layout))

    assert await pulled(f"oci:{layout}:v1", store, trust=policy("*", Signer(), signer))


async def test_a_flood_of_bad_signatures_ends_the_search(layout: Path, store: BlobStore, signer: Signer) -> None:
    flood = Attachment(layout)
    for number in range(MAX_LOOKED_AT + 1):
        flood.simple(b"%d" % number, "")
    flood.tag(digest_in(layout))

    told = await refusal(f"oci:{layout}:v1", store, policy("*", signer), layout)

    assert "attempts the rest was not looked at" in told


async def test_a_registry_that_is_down_for_a_moment_has_not_said_that_there_is_no_signature(
    layout: Path, store: BlobStore, signer: Signer
) -> None:
    listed = {digest_in(layout): Answer(503)}

    async with scripted_registry(serving(layout, referrers=listed)) as registry:
        with pytest.raises(RegistryUnreachable) as caught:
            await pulled(f"{registry.host}/a/b:v1", store, trust=policy("*", signer))

    assert caught.value.transient


async def test_an_image_that_is_in_the_store_already_is_refused_as_well(
    layout: Path, store: BlobStore, signer: Signer
) -> None:
    await pulled(f"oci:{layout}:v1", store)

    with pytest.raises(Untrusted):
        await pulled(f"oci:{layout}:v1", store, trust=policy("*", signer))


async def test_without_a_rule_the_default_decides(layout: Path, store: BlobStore, signer: Signer) -> None:
    told = await refusal(f"oci:{layout}:v1", store, TrustPolicy(default="refuse"), layout)

    assert told == (
        f"oci:{layout}:v1: refused by the trust policy's default: no rule is for oci:{layout}; "
        "add a rule with the key that signs its images"
    )
    assert await pulled(f"oci:{layout}:v1", store, trust=policy("ghcr.io/*", signer))


async def test_no_layer_and_no_configuration_is_asked_for_before_the_signature_is_found(
    layout: Path, store: BlobStore, signer: Signer
) -> None:
    async with scripted_registry(serving(layout, referrers={})) as registry:
        with pytest.raises(Untrusted):
            await pulled(f"{registry.host}/a/b:v1", store, trust=policy("*", signer))

    assert not [asked for asked in registry.asked if "/blobs/" in asked.path]
