"""An authority of this test run's own, and what it has signed; made with openssl."""

import subprocess
from pathlib import Path

import msgspec

from tests.programs import needed

HOST_NAMES = "subjectAltName=IP:127.0.0.1,DNS:localhost"


class Signed(msgspec.Struct, frozen=True):
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def authority(directory: Path, name: str = "authority") -> Signed:
    """Make an authority that signs itself."""
    signed = Signed(directory / f"{name}.pem", directory / f"{name}-key.pem")
    _openssl("req", "-x509", *_new_key(signed, name), "-out", signed.certificate)
    return signed


def signed_by(issuer: Signed, directory: Path, name: str) -> Signed:
    """Make a certificate for this machine, good for servers and clients."""
    signed = Signed(directory / f"{name}.pem", directory / f"{name}-key.pem")
    request = directory / f"{name}.csr"
    extensions = directory / f"{name}.ext"
    extensions.write_text(HOST_NAMES)
    _openssl("req", *_new_key(signed, name), "-out", request)
    signing = ("-CA", issuer.certificate, "-CAkey", issuer.key, "-CAcreateserial", "-extfile", extensions)
    _openssl("x509", "-req", "-in", request, *signing, "-days", "2", "-out", signed.certificate)
    return signed


def _new_key(signed: Signed, name: str) -> tuple[str | Path, ...]:
    algorithm = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    return (*algorithm, "-keyout", signed.key, "-days", "2", "-subj", f"/CN={name}")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run([needed("openssl"), *arguments], check=True, capture_output=True)
