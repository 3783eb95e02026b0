"""Where to ask for an image: the mirrors of its host in their order, then the host itself.

The mirrors are those under the host's own name, else those under `*`. An image that a mirror does not have, or that
it can't give, is asked for at the next endpoint; where the config says `skipFallback`, the host itself is none. Which
image is meant does not change: a digest is the same everywhere. As in Talos and containerd.
"""

import posixpath

import httpx2
import msgspec

from talos.extensions.challenge import is_loopback
from talos.extensions.credentials import Credentials, IdentityToken, Login
from talos.extensions.reference import RegistryLocation
from talos.extensions.registries import ANY_HOST, MirrorEndpoint, Registries, Tls

_API = "/v2"
_DOCKER_HUB = ("registry-1.docker.io", "docker.io")
"""Docker Hub by the name it is reached by and by the name it is called; Talos configures it under the first."""


class Endpoint(msgspec.Struct, frozen=True):
    """A place to ask: `url` is what the repository's name is put behind, `name` what messages call it.

    `namespace` is the host that a mirror stands in for, empty at the host itself.
    """

    name: str
    url: str
    login: Login | IdentityToken | None = None
    tls: Tls | None = None
    namespace: str = ""


def endpoints_of(location: RegistryLocation, registries: Registries, credentials: Credentials) -> tuple[Endpoint, ...]:
    """Return the endpoints in the order in which to ask them; none if the config forbids all. Pure.

    The config says who to be at an endpoint; where it is silent, `credentials` do.
    """
    mirror = registries.mirrors.get(location.host) or registries.mirrors.get(ANY_HOST)
    found = [_mirror(each, location.host, registries, credentials) for each in mirror.endpoints] if mirror else []
    if mirror is None or not mirror.skip_fallback:
        found.append(origin_of(location, registries, credentials))
    once: dict[str, Endpoint] = {}
    for endpoint in found:
        once.setdefault(endpoint.url, endpoint)
    return tuple(once.values())


def origin_of(location: RegistryLocation, registries: Registries, credentials: Credentials) -> Endpoint:
    """Return the host itself as an endpoint: plain http on this machine, https everywhere else."""
    base = base_url(location.host)
    return Endpoint(
        name=location.host,
        url=str(base.copy_with(path=_API)),
        login=_login(base, registries, credentials),
        tls=tls_of(base, registries),
    )


def base_url(host: str) -> httpx2.URL:
    """Return where a registry lies."""
    host = _DOCKER_HUB[0] if host in _DOCKER_HUB else host
    url = httpx2.URL(f"https://{host}")
    return url.copy_with(scheme="http") if is_loopback(url.host) else url


def tls_of(url: httpx2.URL, registries: Registries) -> Tls | None:
    """Return what the config says of the TLS of exactly this host."""
    if url.scheme != "https":
        return None
    return next((registries.tls[name] for name in _names(url) if name in registries.tls), None)


def _mirror(mirror: MirrorEndpoint, host: str, registries: Registries, credentials: Credentials) -> Endpoint:
    url = httpx2.URL(mirror.url)
    path = posixpath.normpath(url.path) if url.path.strip("/") else ""
    if not mirror.override_path and not path.endswith(_API):
        path += _API
    stands_in = base_url(host).netloc != url.netloc
    return Endpoint(
        name=mirror.url,
        url=str(url.copy_with(path=path)).rstrip("/"),
        login=_login(url, registries, credentials),
        tls=tls_of(url, registries),
        namespace=host if stands_in else "",
    )


def _login(url: httpx2.URL, registries: Registries, credentials: Credentials) -> Login | IdentityToken | None:
    names = _names(url)
    for name in names:
        if name in registries.auths:
            return registries.auths[name].login
    return next((login for name in names if (login := credentials.for_host(name)) is not None), None)


def _names(url: httpx2.URL) -> tuple[str, ...]:
    """Return the names under which people write of a host."""
    host = url.netloc.decode()
    if host in _DOCKER_HUB:
        return _DOCKER_HUB
    if url.port is not None:
        return (host,)
    return (host, f"{host}:{443 if url.scheme == 'https' else 80}")
