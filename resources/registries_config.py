"""RegistriesConfig: where images are asked for, as whom and trusting whom, as Talos publishes it for its own pulls."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any, Final, Self

import pydantic

from cosi.resource.definition import Definition
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names
from talos.extensions.registries import Auth, Mirror, MirrorEndpoint, Registries, Tls

ID: Final = "registries"


class _SecretSpec(Spec):
    """A spec that shows its fields to clients who may read it, and neither to logs nor in errors."""

    model_config = pydantic.ConfigDict(hide_input_in_errors=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return ()


class RegistryEndpointConfig(Spec):
    """A place to ask instead of a registry."""

    endpoint: str = field(1, default="")
    override_path: bool = field(2, default=False)


class RegistryMirrorConfig(Spec):
    """Where to ask for the images of a host."""

    endpoints: tuple[RegistryEndpointConfig, ...] = field(1, default=())
    skip_fallback: bool = field(3, default=False, omit_empty=True)


class RegistryAuthConfig(_SecretSpec):
    """Who to be at a host."""

    username: str = field(1, default="", omit_empty=True)
    password: str = field(2, default="", omit_empty=True)
    auth: str = field(3, default="", omit_empty=True)
    identity_token: str = field(4, default="", omit_empty=True)


class _PemSpec(_SecretSpec):
    """A spec whose bytes YAML shows as base64, which is how the config has them."""

    def yaml_value(self) -> object:
        """Return what the YAML shows."""
        shown = super().yaml_value()
        assert isinstance(shown, dict)
        return {key: b64encode(item).decode() if isinstance(item, bytes) else item for key, item in shown.items()}


class ClientIdentity(_PemSpec):
    """A certificate and its key, both PEM."""

    crt: bytes = field(1, default=b"")
    key: bytes = field(2, default=b"")


class RegistryTLSConfig(_PemSpec):
    """How to know a host and be known by it; `ca` is PEM."""

    client_identity: ClientIdentity | None = field(1, default=None, omit_empty=True)
    ca: bytes = field(2, default=b"", omit_empty=True)
    insecure_skip_verify: bool = field(3, default=False, omit_empty=True)


class RegistriesConfigSpec(_SecretSpec):
    """What the machine config says, by host."""

    mirrors: dict[str, RegistryMirrorConfig] = field(1, default={}, omit_empty=True)
    auths: dict[str, RegistryAuthConfig] = field(2, default={}, omit_empty=True)
    tls: dict[str, RegistryTLSConfig] = field(3, default={}, omit_empty=True)

    @property
    def registries(self) -> Registries:
        """Return it as the value that a pull works with."""
        mirrors = {
            host: Mirror(
                tuple(MirrorEndpoint(each.endpoint, each.override_path) for each in mirror.endpoints),
                mirror.skip_fallback,
            )
            for host, mirror in self.mirrors.items()
        }
        auths = {
            host: Auth(auth.username, auth.password, auth.auth, auth.identity_token)
            for host, auth in self.auths.items()
        }
        return Registries(mirrors, auths, {host: _tls(tls) for host, tls in self.tls.items()})


class RegistriesConfig(Resource[RegistriesConfigSpec]):
    """What the machine config in force says of registries."""

    definition = Definition(type="RegistryConfigs.cri.talos.dev", default_namespace=names.CRI, sensitive=True)

    @classmethod
    def from_registries(cls, registries: Registries) -> Self:
        """Return the resource of what a config says."""
        mirrors = {
            host: RegistryMirrorConfig(
                endpoints=tuple(
                    RegistryEndpointConfig(endpoint=each.url, override_path=each.override_path)
                    for each in mirror.endpoints
                ),
                skip_fallback=mirror.skip_fallback,
            )
            for host, mirror in registries.mirrors.items()
        }
        auths = {
            host: RegistryAuthConfig(
                username=auth.username, password=auth.password, auth=auth.auth, identity_token=auth.identity_token
            )
            for host, auth in registries.auths.items()
        }
        tls = {
            host: RegistryTLSConfig(
                client_identity=ClientIdentity(crt=tls.certificate, key=tls.key) if tls.certificate else None,
                ca=tls.ca,
                insecure_skip_verify=tls.insecure_skip_verify,
            )
            for host, tls in registries.tls.items()
        }
        return cls.new(ID, RegistriesConfigSpec(mirrors=mirrors, auths=auths, tls=tls))


def _tls(spec: RegistryTLSConfig) -> Tls:
    identity = spec.client_identity or ClientIdentity()
    return Tls(spec.ca, identity.crt, identity.key, spec.insecure_skip_verify)
