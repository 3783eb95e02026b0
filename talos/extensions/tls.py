"""An SSL context says whom to trust and who to be: the system's authorities, and for one host those of the config."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from talos.extensions.registries import Tls


class InvalidTls(ValueError):
    """A PEM text is not what it should be; `field` is `ca` or `clientIdentity`."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field}: {problem}")


def context_for(tls: Tls, *, trust_environment: bool) -> ssl.SSLContext:
    """Return the context of a host. Reads the system's authorities, so it is a thread's work. Raises InvalidTls."""
    context = httpx2.create_ssl_context(trust_env=trust_environment)
    _configure(context, tls)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def check(tls: Tls) -> None:
    """Raise InvalidTls if one of the PEM texts can't be used."""
    _configure(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), tls)


def _configure(context: ssl.SSLContext, tls: Tls) -> None:
    if tls.ca:
        try:
            context.load_verify_locations(cadata=tls.ca.decode("ascii"))
        except ValueError:
            raise InvalidTls("ca", "holds no certificates in PEM form") from None
        except ssl.SSLError:
            raise InvalidTls("ca", "holds no certificates in PEM form, or a damaged one") from None
    if tls.certificate or tls.key:
        # OpenSSL loads these from files only. A file in memory keeps the key off the disk; an empty password keeps
        # an encrypted key from being asked for on the terminal.
        with _file_of(tls.certificate) as certificate, _file_of(tls.key) as key:
            try:
                context.load_cert_chain(certificate, key, password="")
            except (ssl.SSLError, ValueError):
                problem = "its crt and key are no pair in PEM form, or the key is encrypted"
                raise InvalidTls("clientIdentity", problem) from None


@contextmanager
def _file_of(content: bytes) -> Iterator[str]:
    descriptor = os.memfd_create("pem")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
