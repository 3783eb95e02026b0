"""Who a side of a connection is and whom it trusts: TLS with certificates on both ends.

Nothing but certificates tells clients apart, so a server on the network always asks for one. Keys are ECDSA on P-256:
the TLS inside grpcio refuses Ed25519 certificates of its peers, and says so to nobody. The authority that signs them
may use any key. What is wrong with a certificate is found when these values are made, not when somebody connects.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

import grpc
import msgspec

MAX_PEM_BYTES: Final = 1 << 20
"""A larger file is no certificate or key."""

_P256_KEY: Final = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
"""How a certificate says that its key is on P-256: the AlgorithmIdentifier of RFC 5480, as DER."""


class Identity(msgspec.Struct, frozen=True):
    """A certificate, followed by those between it and the authority, and its private key; both PEM.

    Raises ValueError if they don't belong together, or the key is not one that every peer accepts.
    """

    certificate: bytes
    key: bytes

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # OpenSSL reads keys from files only; this one is in memory, so the key never touches a disk.
        with os.fdopen(os.memfd_create("identity", os.MFD_CLOEXEC), "wb") as pem:
            pem.write(self.certificate + b"\n" + self.key)
            pem.flush()
            try:
                # Without a password OpenSSL would ask for one on the terminal.
                context.load_cert_chain(f"/proc/self/fd/{pem.fileno()}", password="")
            except ssl.SSLError as error:
                raise ValueError(
                    f"not a certificate and its private key ({_reason(error)}): both must be PEM, the key not encrypted"
                ) from None
        if _P256_KEY not in _leaf(self.certificate):
            raise ValueError("the certificate's key is not ECDSA on P-256 (prime256v1), the one kind peers here accept")

    def __repr__(self) -> str:
        return "Identity(...)"


class ClientTls(msgspec.Struct, frozen=True):
    """How a client connects: it believes servers whose certificate `ca` (PEM) signed.

    `server_name` is the name the certificate must bear where it is not the address's host. Raises ValueError.
    """

    ca: bytes
    identity: Identity | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        _require_certificates(self.ca)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return the same in gRPC's form."""
        if self.identity is None:
            return grpc.ssl_channel_credentials(self.ca)
        return grpc.ssl_channel_credentials(self.ca, self.identity.key, self.identity.certificate)


class ServerTls(msgspec.Struct, frozen=True):
    """How a server answers: only to clients whose certificate `client_ca` (PEM) signed. Raises ValueError."""

    identity: Identity
    client_ca: bytes

    def __post_init__(self) -> None:
        _require_certificates(self.client_ca)

    def credentials(self) -> grpc.ServerCredentials:
        """Return the same in gRPC's form."""
        pair = (self.identity.key, self.identity.certificate)
        return grpc.ssl_server_credentials([pair], root_certificates=self.client_ca, require_client_auth=True)


def read_pem(path: Path) -> bytes:
    """Return the bytes of a certificate or key file. Raises OSError, ValueError if it is too large to be one."""
    with path.open("rb") as file:
        data = file.read(MAX_PEM_BYTES + 1)
    if len(data) > MAX_PEM_BYTES:
        raise ValueError(f"{path} is no certificate or key: it is larger than {MAX_PEM_BYTES} bytes")
    return data


def _require_certificates(ca: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        reason = _reason(error) if isinstance(error, ssl.SSLError) else "not text"
        raise ValueError(f"not the certificates of an authority ({reason}): they must be PEM") from None


def _leaf(certificates: bytes) -> bytes:
    """Return the first certificate as DER; OpenSSL has read them already."""
    text = certificates.decode("latin-1")
    end = text.index(ssl.PEM_FOOTER) + len(ssl.PEM_FOOTER)
    return ssl.PEM_cert_to_DER_cert(text[text.index(ssl.PEM_HEADER) : end])


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
