"""An image's signatures lie beside it under names made of its digest, and one good signature lets the image pass.

Looked at, in this order and only until one is good:

    sha256-<hex>.sig        a tag that cosign 2 and older write; one layer for each signature
    referrers of <digest>   the registry's own list; cosign 3 puts a Sigstore bundle there
    sha256-<hex>            a tag that holds the same list, where the registry keeps none

first for what the reference names, then for the platform's manifest: who signed either of them signed these layers.
Everything found is a stranger's and is bounded. What is broken counts as no signature; only a source that does not
answer for the moment ends the search with its own error, so that it is tried again. Not looked at are a signature's
certificates and its entry in a transparency log: the key decides. Sources: sigstore/cosign specs/SIGNATURE_SPEC.md and
specs/BUNDLE_SPEC.md, OCI distribution specification v1.1, "Listing Referrers".
"""

from collections.abc import AsyncGenerator, Sequence

import anyio

from talos.extensions import oci
from talos.extensions.blobs import digest_of
from talos.extensions.oci import Descriptor
from talos.extensions.pull_errors import ImageNotFound, PullError, Untrusted
from talos.extensions.reference import Reference
from talos.extensions.signed_payload import (
    MAX_PAYLOAD_BYTES,
    SIGN_PREDICATE,
    Refused,
    Verified,
    verify_bundle,
    verify_simple,
)
from talos.extensions.source import Source
from talos.extensions.trust import Rule, TrustPolicy

MAX_LOOKED_AT = 64  # signatures, and manifests that may hold some; each costs a request
MAX_SEARCH_SECONDS = 5 * 60
MAX_REASONS = 3  # a message that tells of all 32 is read by nobody

SIMPLE_SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_ANNOTATION = "dev.cosignproject.cosign/signature"
PREDICATE_ANNOTATION = "dev.sigstore.bundle.predicateType"

_BUNDLE_TYPES = "application/vnd.dev.sigstore.bundle."
_SIGNATURE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"


async def ensure_trusted(
    reference: Reference, name: str, digests: Sequence[str], *, source: Source, policy: TrustPolicy
) -> Verified | None:
    """Look for a signature of one of `digests` that the policy asks for; `name` is what its patterns are held against.

    Returns None where the policy lets the image pass without one. Raises Untrusted, or a transient PullError.
    """
    rule = policy.rule_for(name)
    if rule is None:
        if policy.default == "refuse":
            raise Untrusted(
                reference.text, "", f"no rule is for {name}", "add a rule with the key that signs its images"
            )
        return None
    search = _Search(source, rule, tuple(dict.fromkeys(digests)))
    try:
        with anyio.fail_after(MAX_SEARCH_SECONDS):
            found = await search.run()
    except TimeoutError as error:
        problem = f"looking for its signatures took more than {MAX_SEARCH_SECONDS} seconds"
        raise Untrusted(reference.text, rule.repository, problem, "it will be tried again", transient=True) from error
    if found is None:
        raise Untrusted(reference.text, rule.repository, search.problem, _remedy(rule))
    return found


class _Search:
    """One search, which notes why what it found did not count."""

    def __init__(self, source: Source, rule: Rule, digests: tuple[str, ...]) -> None:
        self._source = source
        self._rule = rule
        self._digests = digests
        self._reasons: dict[str, None] = {}  # a set that keeps the order
        self._looked_at = 0

    async def run(self) -> Verified | None:
        try:
            for digest in self._digests:
                async for raw in self._manifests(digest):
                    for layer in self._layers(raw):
                        if (found := await self._verified(layer)) is not None:
                            return found
        except _Exhausted:
            self._note(f"after {MAX_LOOKED_AT} attempts the rest was not looked at")
        return None

    @property
    def problem(self) -> str:
        """Return why there was no good signature."""
        if not self._reasons:
            return f"{self._digests[0]} is not signed"
        reasons = list(self._reasons)
        more = [f"and {len(reasons) - MAX_REASONS} more reasons"] if len(reasons) > MAX_REASONS else []
        return f"{self._digests[0]} has no signature that counts ({', '.join([*reasons[:MAX_REASONS], *more])})"

    async def _manifests(self, digest: str) -> AsyncGenerator[bytes]:
        """Yield the manifests that may hold signatures of `digest`."""
        tag = digest.replace(":", "-")
        yield await self._document(f"{tag}.sig")
        async for raw in self._referring(await self._list(digest)):
            yield raw
        async for raw in self._referring(await self._document(tag)):
            yield raw

    async def _referring(self, raw: bytes) -> AsyncGenerator[bytes]:
        """Yield the manifests of a list of referrers that may hold a signature."""
        if not raw:
            return
        try:
            listed = oci.parse_referrers(raw).manifests
        except oci.MalformedDocument as error:
            self._note(str(error))
            return
        for referrer in filter(_may_be_a_signature, listed):
            manifest = await self._document(referrer.digest)
            if manifest and digest_of(manifest, referrer.digest.partition(":")[0]) == referrer.digest:
                yield manifest
            else:
                self._note(f"{referrer.digest} is missing or damaged")

    async def _list(self, digest: str) -> bytes:
        """Return the source's own list of referrers; empty where it keeps none."""
        try:
            return await self._source.referrers(digest) or b""
        except PullError as error:
            self._pass_over(error)
            return b""

    async def _document(self, selector: str) -> bytes:
        """Return a manifest or list; empty where there is none."""
        self._count()
        try:
            return await self._source.document(selector)
        except ImageNotFound:
            return b""
        except PullError as error:
            self._pass_over(error)
            return b""

    def _layers(self, raw: bytes) -> tuple[Descriptor, ...]:
        """Return the layers of a manifest that are signatures."""
        if not raw:
            return ()
        try:
            layers = oci.parse_artifact(raw).layers
        except oci.MalformedDocument as error:
            self._note(str(error))
            return ()
        return tuple(layer for layer in layers if _is_simple(layer) or _is_bundle(layer))

    async def _verified(self, layer: Descriptor) -> Verified | None:
        """Fetch and check one signature."""
        self._count()
        try:
            content = await self._content(layer)
            if _is_bundle(layer):
                return verify_bundle(content, digests=self._digests, keys=self._rule.keys)
            signature = layer.annotations.get(SIGNATURE_ANNOTATION, "")
            return verify_simple(content, signature, digests=self._digests, keys=self._rule.keys)
        except Refused as error:
            self._note(str(error))
        except PullError as error:
            self._pass_over(error)
        return None

    async def _content(self, layer: Descriptor) -> bytes:
        if layer.size > MAX_PAYLOAD_BYTES:
            raise Refused(f"a signature has {layer.size} bytes, at most {MAX_PAYLOAD_BYTES} are read")
        content = b""
        async with self._source.blob(layer, offset=0) as stream:
            async for chunk in stream.chunks:
                content += chunk
                if len(content) > layer.size:
                    break
        if len(content) != layer.size or digest_of(content, layer.digest.partition(":")[0]) != layer.digest:
            raise Refused(f"the signature {layer.digest} is damaged")
        return content

    def _count(self) -> None:
        self._looked_at += 1
        if self._looked_at > MAX_LOOKED_AT:
            raise _Exhausted

    def _pass_over(self, error: PullError) -> None:
        """Note what could not be read, unless it may be readable in a moment: then the image's fate is open."""
        if error.transient:
            raise error
        self._note(error.problem)

    def _note(self, reason: str) -> None:
        self._reasons[reason] = None


class _Exhausted(Exception):
    """As much was looked at as may be."""


def _may_be_a_signature(referrer: oci.Referrer) -> bool:
    """Tell whether to look inside; a list may leave the kind out, but one that it states is believed."""
    signs = referrer.annotations.get(PREDICATE_ANNOTATION, SIGN_PREDICATE) == SIGN_PREDICATE
    kind = referrer.artifact_type
    return signs and (kind in ("", _SIGNATURE_ARTIFACT) or kind.startswith(_BUNDLE_TYPES))


def _is_simple(layer: Descriptor) -> bool:
    return layer.media_type == SIMPLE_SIGNING_TYPE


def _is_bundle(layer: Descriptor) -> bool:
    return layer.media_type.startswith(_BUNDLE_TYPES)


def _remedy(rule: Rule) -> str:
    known = ", ".join(key.fingerprint for key in rule.keys)
    return f"sign it with `cosign sign --key` and the private half of {known}, or correct the rule's keys"
