"""Who a side of a connection is and whom it trusts: TLS with certificates on both ends, whichever transport carries it.

Nothing but certificates tells clients apart, so a server on the network asks for one unless it is to serve anybody. A
key may be of any kind that OpenSSL takes: Ed25519, ECDSA, RSA. What is wrong with a certificate is found when these
values are made, not when somebody connects; whether it has expired is the peer's to judge.

Keys stay in memory: they are never written to a disk, and never shown.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from cosi.rpc import fingerprint

ALPN_HTTP2: Final = "h2"
"""The one protocol spoken under TLS, as both sides name it when they agree on it."""

MAX_PEM_BYTES: Final = 1 << 20
"""A larger file is no certificate or key."""

MINIMUM_VERSION: Final = ssl.TLSVersion.TLSv1_2
"""HTTP/2 forbids older ones."""


class Identity(msgspec.Struct, frozen=True):
    """A certificate, followed by those between it and the authority, and its private key; both PEM.

    Raises ValueError if they don't belong together, or OpenSSL takes the key for too weak.
    """

    certificate: bytes
    key: bytes

    def __post_init__(self) -> None:
        self.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def load_into(self, context: ssl.SSLContext) -> None:
        """Make a context's connections prove to be this."""
        # OpenSSL reads keys from files only; this one is in memory, so the key never touches a disk.
        with os.fdopen(os.memfd_create("identity", os.MFD_CLOEXEC), "wb") as pem:
            pem.write(self.certificate + b"\n" + self.key)
            pem.flush()
            try:
                # Without a password OpenSSL would ask for one on the terminal.
                context.load_cert_chain(f"/proc/self/fd/{pem.fileno()}", password="")
            except ssl.SSLError as error:
                raise ValueError(
                    f"not a certificate and its private key ({reason(error)}): both must be PEM, the key not encrypted"
                ) from None

    def __repr__(self) -> str:
        return "Identity(...)"


class ClientTls(msgspec.Struct, frozen=True):
    """How a client connects: it believes servers whose certificate `ca` (PEM) signed, and no others.

    `server_name` is the name the certificate must bear where it is not the address's host. Raises ValueError.
    """

    ca: bytes
    identity: Identity | None = None
    server_name: str = ""

    def __post_init__(self) -> None:
        _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), self.ca)

    def context(self) -> ssl.SSLContext:
        """Return the same in OpenSSL's form; its connections must be opened with a `name_of` their host."""
        context = _context(ssl.PROTOCOL_TLS_CLIENT)  # which checks the server's certificate and the name in it
        _trust(context, self.ca)
        if self.identity is not None:
            self.identity.load_into(context)
        return context

    def name_of(self, host: str) -> str:
        """Return the name, or the IP address, that the certificate of the server on a host must bear."""
        return self.server_name or host


class UnverifiedTls(msgspec.Struct, frozen=True):
    """How a client connects where nobody vouches for the server yet: encrypted, and with no login of its own.

    With `fingerprints` the server must own one of these keys. Raises ValueError for what is no fingerprint.
    """

    fingerprints: Sequence[str] = ()

    def __post_init__(self) -> None:
        for each in self.fingerprints:
            fingerprint.require(each)

    def context(self) -> ssl.SSLContext:
        """Return the same in OpenSSL's form, which leaves the fingerprints to `require_known`."""
        context = _context(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def name_of(self, host: str) -> str:
        """Return the name by which the server is asked for."""
        return host

    def require_known(self, certificate: bytes) -> None:
        """Raise ValueError unless the server's certificate (DER) is as told."""
        if self.fingerprints and (found := fingerprint.of_certificate(certificate)) not in self.fingerprints:
            raise ValueError(f"its fingerprint is {found}, and that is none of those expected")


class ServerTls(msgspec.Struct, frozen=True):
    """How a server answers: only to clients whose certificate `client_ca` (PEM) signed. Raises ValueError.

    Where `client_ca` is None it asks nobody for a certificate and answers everybody.
    """

    identity: Identity
    client_ca: bytes | None

    def __post_init__(self) -> None:
        if self.client_ca is not None:
            _trust(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self.client_ca)

    def context(self) -> ssl.SSLContext:
        """Return the same in OpenSSL's form. Every call makes a new one, and no session outlives its context."""
        context = _context(ssl.PROTOCOL_TLS_SERVER)
        # A ticket would let a client in again on the strength of an old handshake, and who steals the key that seals
        # tickets reads what was said. Sessions of TLS 1.2 have ids too: OpenSSL keeps 20480 at most, for two hours.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        self.identity.load_into(context)
        if self.client_ca is not None:
            _trust(context, self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Certificates:
    """A running server's certificates, which can be exchanged while it runs."""

    def __init__(self, tls: ServerTls) -> None:
        self._enders: list[Callable[[], None]] = []
        self.reload(tls)

    def reload(self, tls: ServerTls) -> None:
        """Let the next connections use others; those that stand go on with what they began with."""
        self._context = tls.context()
        self._tls = tls

    def replace(self, tls: ServerTls) -> None:
        """Use others from now on, and end the connections that stand: what let them in does not hold any more."""
        self.reload(tls)
        for end in self._enders:
            end()

    def on_replaced(self, end: Callable[[], None]) -> None:
        """Say how a server ends the connections that it has."""
        self._enders.append(end)

    @property
    def tls(self) -> ServerTls:
        """What is in force."""
        return self._tls

    @property
    def context(self) -> ssl.SSLContext:
        """What the next connection is opened with."""
        return self._context


def read_pem(path: Path) -> bytes:
    """Return the bytes of a certificate or key file. Raises OSError, ValueError if it is too large to be one."""
    with path.open("rb") as file:
        data = file.read(MAX_PEM_BYTES + 1)
    if len(data) > MAX_PEM_BYTES:
        raise ValueError(f"{path} is no certificate or key: it is larger than {MAX_PEM_BYTES} bytes")
    return data


def reason(error: ssl.SSLError) -> str:
    """Return what OpenSSL says is wrong, in small words."""
    return (error.reason or str(error)).lower().replace("_", " ")


def explain_failure(name: str, error: ssl.SSLError) -> str:
    """Say in plain words why a client's handshake with a server failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {name} is not accepted: {error.verify_message}"
    return f"the TLS handshake with {name} failed: {reason(error)}"


def explain_no_http2(name: str) -> str:
    """Say that a server agreed on TLS, but not on what to speak under it."""
    return f"{name} does not speak HTTP/2 (no ALPN {ALPN_HTTP2})"


def _context(protocol: int) -> ssl.SSLContext:
    """Return what both sides have in common; the ciphers, and that nothing is compressed, are Python's defaults."""
    context = ssl.SSLContext(protocol)
    context.minimum_version = MINIMUM_VERSION
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([ALPN_HTTP2])
    return context


def _trust(context: ssl.SSLContext, ca: bytes) -> None:
    try:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        why = reason(error) if isinstance(error, ssl.SSLError) else "not text"
        raise ValueError(f"not the certificates of an authority ({why}): they must be PEM") from None
