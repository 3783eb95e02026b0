"""Whom a pull trusts over TLS, and who it is there, is what the config says of that one host."""

import ssl
from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore
from talos.extensions.pull_errors import RegistryUnreachable
from talos.extensions.registries import ANY_HOST, Mirror, MirrorEndpoint, Registries, Tls
from talos.extensions.tls import context_for
from tests.talos.certificates import Signed, authority, signed_by
from tests.talos.extensions.puller import pulled
from tests.talos.extensions.scripted_registry import Answer, Asked, scripted_registry
from tests.talos.extensions.served_image import Served

pytestmark = pytest.mark.anyio


class Site:
    """An authority, and a registry and a client that it knows."""

    def __init__(self, directory: Path) -> None:
        self.authority = authority(directory)
        self.server = signed_by(self.authority, directory, "server")
        self.client = signed_by(self.authority, directory, "client")

    @property
    def ca(self) -> bytes:
        return self.authority.certificate.read_bytes()

    def context(self, *, wants_client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.authority.certificate))
        context.load_cert_chain(self.server.certificate, self.server.key)
        context.verify_mode = ssl.CERT_REQUIRED if wants_client else ssl.CERT_NONE
        return context


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


def tls_by(client: Signed, ca: bytes) -> Tls:
    return Tls(ca, client.certificate.read_bytes(), client.key.read_bytes())


def mirroring(host: str, tls: dict[str, Tls]) -> Registries:
    return Registries({ANY_HOST: Mirror((MirrorEndpoint(f"https://{host}"),), skip_fallback=True)}, tls=tls)


async def test_an_authority_of_the_config_is_trusted(site: Site, served: Served, store: BlobStore) -> None:
    async with scripted_registry(served, context=site.context()) as registry:
        await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, {registry.host: Tls(ca=site.ca)}))

    assert served.layer in store


async def test_an_unknown_authority_is_not_trusted_nor_is_one_that_is_another_hosts(
    site: Site, served: Served, store: BlobStore
) -> None:
    async with scripted_registry(served, context=site.context()) as registry:
        for tls in ({}, {"other.lan": Tls(ca=site.ca)}, {"other.lan": Tls(insecure_skip_verify=True)}):
            with pytest.raises(RegistryUnreachable, match="its certificate is not trusted") as caught:
                await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, tls))
            assert not caught.value.transient

    assert registry.asked == []


async def test_a_certificate_need_not_be_verified_where_the_config_says_so(
    site: Site, served: Served, store: BlobStore
) -> None:
    async with scripted_registry(served, context=site.context()) as registry:
        tls = {registry.host: Tls(insecure_skip_verify=True)}
        await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, tls))

    assert served.layer in store


async def test_a_client_is_known_by_its_certificate(site: Site, served: Served, store: BlobStore) -> None:
    async with scripted_registry(served, context=site.context(wants_client=True)) as registry:
        with pytest.raises(RegistryUnreachable):
            await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, {registry.host: Tls(ca=site.ca)}))
        tls = {registry.host: tls_by(site.client, site.ca)}
        await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, tls))

    assert served.layer in store


async def test_a_redirect_takes_along_the_authorities_but_neither_the_certificate_nor_the_leniency(
    site: Site, served: Served, store: BlobStore
) -> None:
    async with scripted_registry(served, context=site.context(wants_client=True)) as elsewhere:

        def answer(asked: Asked) -> Answer:
            if served.is_layer(asked):
                return Answer(307, headers={"Location": f"https://{elsewhere.host}{asked.path}"})
            return served(asked)

        async with scripted_registry(answer, context=site.context()) as registry:
            for tls in (tls_by(site.client, site.ca), Tls(insecure_skip_verify=True)):
                with pytest.raises(RegistryUnreachable):
                    await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, {registry.host: tls}))
            before = len(elsewhere.asked)
            own = {registry.host: Tls(ca=site.ca), elsewhere.host: tls_by(site.client, site.ca)}
            await pulled("a.io/a/b:v1", store, registries=mirroring(registry.host, own))

    assert before == 0
    assert served.layer in store


def test_the_authorities_of_the_config_come_on_top_of_the_systems(site: Site) -> None:
    own = context_for(Tls(), trust_environment=False)
    both = context_for(Tls(ca=site.ca), trust_environment=False)

    assert both.cert_store_stats()["x509_ca"] == own.cert_store_stats()["x509_ca"] + 1
    assert (both.verify_mode, both.check_hostname) == (ssl.CERT_REQUIRED, True)
