"""TLS as grpcio takes it, which is narrower than `cosi.rpc.tls`: keys are ECDSA on P-256.

The TLS inside grpcio refuses Ed25519 certificates, and says so to nobody, so a server's own is refused here before
anybody connects. The authority that signs them may use any key.
"""

from __future__ import annotations

import ssl
from typing import Final

import grpc

from cosi.rpc.tls import Identity, ServerTls

_P256_KEY: Final = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
"""How a certificate says that its key is on P-256: the AlgorithmIdentifier of RFC 5480, as DER."""


def server_credentials(tls: ServerTls) -> grpc.ServerCredentials:
    """Return how a server answers in gRPC's form. Raises ValueError for a key that grpcio does not get along with."""
    return grpc.ssl_server_credentials(
        [_key_and_certificate(tls.identity)],
        root_certificates=tls.client_ca,
        require_client_auth=tls.client_ca is not None,
    )


def _key_and_certificate(identity: Identity) -> tuple[bytes, bytes]:
    if _P256_KEY not in _leaf(identity.certificate):
        raise ValueError(
            "the certificate's key is not ECDSA on P-256 (prime256v1), the one kind the grpcio transport accepts"
        )
    return identity.key, identity.certificate


def _leaf(certificates: bytes) -> bytes:
    """Return the first certificate as DER; OpenSSL has read them already."""
    text = certificates.decode("latin-1")
    end = text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(text[text.index(ssl.PEM_HEADER) : end])
