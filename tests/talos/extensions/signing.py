"""Signing images as cosign does with a key, into a layout beside the image, and serving such a layout as a registry."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from talos.extensions.blobs import digest_of
from talos.extensions.layout_writer import LayoutWriter
from talos.extensions.oci import REFERENCE_NAME, Descriptor, Index, parse_index
from talos.extensions.public_key import PublicKey
from talos.extensions.signatures import PREDICATE_ANNOTATION, SIGNATURE_ANNOTATION, SIMPLE_SIGNING_TYPE
from talos.extensions.signed_payload import SIGN_PREDICATE
from talos.extensions.trust import Rule, TrustPolicy
from tests.talos.extensions.puller import manifest_of
from tests.talos.extensions.scripted_registry import Answer, Asked

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
SIMPLE_ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
IN_TOTO = "application/vnd.in-toto+json"

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


class Signer:
    """A pair of keys."""

    def __init__(self, kind: str = "ecdsa") -> None:
        self._key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
        if kind == "ecdsa":
            self._key = ec.generate_private_key(ec.SECP256R1())
        elif kind == "ed25519":
            self._key = ed25519.Ed25519PrivateKey.generate()
        else:
            self._key = rsa.generate_private_key(65537, 2048)
        self.pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.public = PublicKey.parse(self.pem)

    def sign(self, message: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(message, PKCS1v15(), hashes.SHA256())
        return self._key.sign(message)

    def signature(self, message: bytes) -> str:
        return base64.b64encode(self.sign(message)).decode()


def policy(repository: str, *signers: Signer) -> TrustPolicy:
    """Return a policy of one rule."""
    return TrustPolicy(rules=(Rule(repository=repository, keys=tuple(signer.public for signer in signers)),))


def simple_payload(digest: str, *, kind: str = "cosign container image signature") -> bytes:
    identity = {"docker-reference": "registry.example/signed"}
    critical = {"identity": identity, "image": {"docker-manifest-digest": digest}, "type": kind}
    return json.dumps({"critical": critical, "optional": None}).encode()


def bundle(
    signer: Signer, digest: str, *, predicate: str = SIGN_PREDICATE, kind: str = IN_TOTO, statement: bytes = b""
) -> bytes:
    """Return a Sigstore bundle as `cosign sign --key` makes it, less its entry in the transparency log."""
    algorithm, _, name = digest.partition(":")
    plain = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {algorithm: name}}], "predicate": {}}
    payload = statement or json.dumps({**plain, "predicateType": predicate}).encode()
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": kind,
        "signatures": [{"sig": signer.signature(signed)}],
    }
    material = {"publicKey": {"hint": "unused"}}
    return json.dumps({"mediaType": BUNDLE_TYPE, "verificationMaterial": material, "dsseEnvelope": envelope}).encode()


class Attachment:
    """A manifest with signatures in the making."""

    def __init__(self, layout: Path) -> None:
        self.writer = LayoutWriter(layout)
        self.layers: list[Descriptor] = []

    def simple(self, payload: bytes, signature: str) -> "Attachment":
        layer = self.writer.add(payload, SIMPLE_SIGNING_TYPE)
        self.layers.append(msgspec.structs.replace(layer, annotations={SIGNATURE_ANNOTATION: signature}))
        return self

    def bundle(self, content: bytes) -> "Attachment":
        self.layers.append(self.writer.add(content, BUNDLE_TYPE))
        return self

    def manifest(self, artifact_type: str = "") -> Descriptor:
        kind = artifact_type or "application/vnd.oci.image.config.v1+json"
        document = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": self.writer.add(b"{}", kind),
            "layers": self.layers,
        }
        if artifact_type:
            document["artifactType"] = artifact_type
        return self.writer.add(msgspec.json.encode(document), _MANIFEST_TYPE)

    def tag(self, digest: str) -> str:
        """Put the manifest where cosign 2 does; return the tag."""
        name = digest.replace(":", "-") + ".sig"
        self.writer.tag(self.manifest(), name)
        return name

    def fallback(self, digest: str, artifact_type: str = BUNDLE_TYPE, predicate: str = SIGN_PREDICATE) -> str:
        """Put the manifest where cosign 3 does on a registry without a list of referrers; return the tag."""
        raw = self.referrers(artifact_type, predicate)
        name = digest.replace(":", "-")
        self.writer.tag(self.writer.add(raw, _INDEX_TYPE), name)
        return name

    def referrers(self, artifact_type: str = BUNDLE_TYPE, predicate: str = SIGN_PREDICATE) -> bytes:
        """Return the list of referrers that names the manifest."""
        entry = {
            **msgspec.to_builtins(self.manifest(artifact_type)),
            "artifactType": artifact_type,
            "annotations": {PREDICATE_ANNOTATION: predicate},
        }
        return json.dumps({"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": [entry]}).encode()


def serving(layout: Path, *, referrers: Mapping[str, Answer]) -> Callable[[Asked], Answer]:
    """Answer as a registry that holds the layout's images, and these lists of referrers by digest."""

    def answer(asked: Asked) -> Answer:
        _, kind, name = asked.path.rsplit("/", 2)
        if kind == "referrers":
            return referrers.get(name, Answer(404))
        index: Index = parse_index((layout / "index.json").read_bytes())
        tagged = {each.annotations.get(REFERENCE_NAME, ""): each.digest for each in index.manifests}
        path = layout / "blobs" / tagged.get(name, name).replace(":", "/")
        return Answer(body=path.read_bytes()) if path.is_file() else Answer(404)

    return answer


def other_digest() -> str:
    return digest_of(b"another image")


def digest_in(layout: Path) -> str:
    """Return the digest of the image `v1`."""
    return manifest_of(layout, "v1")[0]


def simple(layout: Path, signer: Signer, digest: str) -> Attachment:
    """Sign in the older form."""
    payload = simple_payload(digest)
    return Attachment(layout).simple(payload, signer.signature(payload))


def in_a_bundle(layout: Path, signer: Signer, digest: str) -> Attachment:
    """Sign in the newer form."""
    return Attachment(layout).bundle(bundle(signer, digest))
