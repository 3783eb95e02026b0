"""Certificates for tests, made by the openssl program: an authority, and what it signs."""

from __future__ import annotations

import subprocess
from pathlib import Path

P256 = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256")
ED25519 = ("ED25519",)
RSA = ("RSA", "-pkeyopt", "rsa_keygen_bits:2048")
WEAK_RSA = ("RSA", "-pkeyopt", "rsa_keygen_bits:1024")


class Authority:
    """Signs certificates in a directory of its own."""

    def __init__(self, directory: Path, name: str = "authority", kind: tuple[str, ...] = P256) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._name = name
        self._sign(name, kind, "-addext", "basicConstraints=critical,CA:TRUE")

    @property
    def certificate(self) -> bytes:
        return self.file(self._name, "pem").read_bytes()

    def issue(self, name: str, kind: tuple[str, ...] = P256, alternative: str = "IP:127.0.0.1") -> tuple[bytes, bytes]:
        """Return a certificate and its key."""
        ca, key = self.file(self._name, "pem"), self.file(self._name, "key")
        self._sign(name, kind, "-CA", str(ca), "-CAkey", str(key), "-addext", f"subjectAltName={alternative}")
        return self.file(name, "pem").read_bytes(), self.file(name, "key").read_bytes()

    def issue_expired(self, name: str, alternative: str = "IP:127.0.0.1") -> tuple[bytes, bytes]:
        """Return a certificate that is over, and its key."""
        ca, key = self.file(self._name, "pem"), self.file(self._name, "key")
        request, own, certificate = (self.file(name, suffix) for suffix in ("csr", "key", "pem"))
        _openssl("genpkey", "-algorithm", *P256, "-out", str(own))
        _openssl("req", "-new", "-key", str(own), "-subj", f"/CN={name}", "-addext", f"subjectAltName={alternative}",
                 "-out", str(request))  # fmt: skip
        _openssl("x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(key), "-copy_extensions", "copy",
                 "-days", "-1", "-out", str(certificate))  # fmt: skip
        return certificate.read_bytes(), own.read_bytes()

    def file(self, name: str, suffix: str) -> Path:
        return self._directory / f"{name}.{suffix}"

    def _sign(self, name: str, kind: tuple[str, ...], *options: str) -> None:
        key, certificate = self.file(name, "key"), self.file(name, "pem")
        _openssl("genpkey", "-algorithm", *kind, "-out", str(key))
        _openssl("req", "-x509", "-new", "-key", str(key), "-subj", f"/CN={name}", "-days", "2", *options,
                 "-out", str(certificate))  # fmt: skip


def fingerprint(certificate: Path) -> str:
    """Return SHA-256 of a certificate's public key in base64, as the openssl program computes it."""
    command = (
        f"openssl x509 -in '{certificate}' -noout -pubkey | openssl pkey -pubin -outform der | "
        "openssl dgst -sha256 -binary | base64"
    )
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
