"""An image that nobody known has signed is refused with the reason, and leaves none of its files behind."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from talos.extensions import oci
from talos.extensions.blobs import BlobStore
from talos.extensions.pull_errors import Untrusted
from talos.extensions.signatures import MAX_LOOKED_AT
from talos.extensions.signed_payload import MAX_PAYLOAD_BYTES
from talos.extensions.trust import TrustPolicy
from tests.talos.extensions.puller import blob, pulled
from tests.talos.extensions.scripted_registry import scripted_registry
from tests.talos.extensions.signing import (
    BUNDLE_TYPE,
    Attachment,
    Signer,
    bundle,
    digest_in,
    in_a_bundle,
    other_digest,
    policy,
    serving,
    simple,
    simple_payload,
)
from tests.talos.registry_server import RegistryServer

pytestmark = pytest.mark.anyio

REPOSITORY = "talos/signed"


def layers_in(layout: Path) -> tuple[oci.Descriptor, ...]:
    return oci.parse_manifest(blob(layout, digest_in(layout)).read_bytes()).layers


async def refusal(reference: str, store: BlobStore, trust: TrustPolicy, layout: Path, base: Path | None = None) -> str:
    """Pull, and return why that was refused, having seen that no layer came."""
    with pytest.raises(Untrusted) as caught:
        await pulled(reference, store, base=base or Path("/nonexistent"), trust=trust)

    assert not any(layer in store for layer in layers_in(layout))
    return str(caught.value)


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
        (_missing, "has no image sha256:|lacks the blob sha256:"),
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

    assert re.search(reason, local)
    assert "has no signature that counts" in remote


async def test_a_flood_of_bad_signatures_ends_the_search(layout: Path, store: BlobStore, signer: Signer) -> None:
    flood = Attachment(layout)
    for number in range(MAX_LOOKED_AT + 1):
        flood.simple(b"%d" % number, "")
    flood.tag(digest_in(layout))

    told = await refusal(f"oci:{layout}:v1", store, policy("*", signer), layout)

    assert "attempts the rest was not looked at" in told


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
