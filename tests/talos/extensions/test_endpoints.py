"""Where to ask follows from the config alone: in which order, under which path, as whom."""

from hypothesis import given
from hypothesis import strategies as st

from talos.extensions.credentials import Credentials, IdentityToken, Login
from talos.extensions.endpoints import Endpoint, endpoints_of
from talos.extensions.reference import RegistryLocation
from talos.extensions.registries import ANY_HOST, Auth, Mirror, MirrorEndpoint, Registries, Tls

HOSTS = st.sampled_from(["ghcr.io", "docker.io", "registry.lan:5000", "localhost:5000", "10.0.0.1"])
PATHS = st.sampled_from(["", "/", "/v2", "/v2/", "/proxy", "/a//b/", "/proxy/v2"])
MIRROR_ENDPOINTS = st.builds(
    MirrorEndpoint,
    st.builds("{}://{}{}".format, st.sampled_from(["http", "https"]), HOSTS, PATHS),
    st.booleans(),
)
MIRRORS = st.builds(Mirror, st.lists(MIRROR_ENDPOINTS, max_size=4).map(tuple), st.booleans())
AUTHS = st.dictionaries(HOSTS, st.builds(Auth, st.sampled_from(["a", "b"]), st.just("secret")))
REGISTRIES = st.builds(
    Registries,
    st.dictionaries(st.one_of(st.just(ANY_HOST), HOSTS), MIRRORS),
    AUTHS,
    st.dictionaries(HOSTS, st.just(Tls(ca=b"ca"))),
)


def found(host: str, registries: Registries, credentials: Credentials | None = None) -> tuple[Endpoint, ...]:
    return endpoints_of(RegistryLocation(host, "a/b"), registries, credentials or Credentials())


def urls(host: str, registries: Registries) -> list[str]:
    return [endpoint.url for endpoint in found(host, registries)]


def mirror(*endpoints: str, override_path: bool = False, skip_fallback: bool = False) -> Mirror:
    return Mirror(tuple(MirrorEndpoint(url, override_path) for url in endpoints), skip_fallback)


def test_without_a_config_the_host_is_asked() -> None:
    assert urls("ghcr.io", Registries()) == ["https://ghcr.io/v2"]
    assert urls("docker.io", Registries()) == ["https://registry-1.docker.io/v2"]
    assert urls("localhost:5000", Registries()) == ["http://localhost:5000/v2"]


def test_mirrors_come_before_the_host_in_their_order() -> None:
    registries = Registries({"ghcr.io": mirror("http://10.0.0.1:5000", "https://mirror.lan")})

    assert urls("ghcr.io", registries) == ["http://10.0.0.1:5000/v2", "https://mirror.lan/v2", "https://ghcr.io/v2"]
    assert urls("docker.io", registries) == ["https://registry-1.docker.io/v2"]


def test_the_mirrors_of_all_are_for_hosts_without_their_own() -> None:
    registries = Registries({ANY_HOST: mirror("https://all.lan"), "ghcr.io": mirror("https://one.lan")})

    assert urls("ghcr.io", registries) == ["https://one.lan/v2", "https://ghcr.io/v2"]
    assert urls("quay.io", registries) == ["https://all.lan/v2", "https://quay.io/v2"]


def test_a_host_whose_own_entry_is_empty_has_no_mirrors() -> None:
    registries = Registries({ANY_HOST: mirror("https://all.lan"), "ghcr.io": mirror()})

    assert urls("ghcr.io", registries) == ["https://ghcr.io/v2"]


def test_without_fallback_the_host_is_not_asked() -> None:
    registries = Registries({ANY_HOST: mirror("https://all.lan", skip_fallback=True)})

    assert urls("ghcr.io", registries) == ["https://all.lan/v2"]
    assert urls("ghcr.io", Registries({"ghcr.io": mirror(skip_fallback=True)})) == []


def test_a_path_is_completed_unless_it_overrides() -> None:
    given_paths = ("https://m", "https://m/", "https://m/v2", "https://m/proxy/ghcr", "https://m/a//b/../c/")
    completed = urls("ghcr.io", Registries({"ghcr.io": mirror(*given_paths, skip_fallback=True)}))
    overriding = Registries({"ghcr.io": mirror(*given_paths, override_path=True, skip_fallback=True)})

    assert completed == ["https://m/v2", "https://m/proxy/ghcr/v2", "https://m/a/c/v2"]
    assert urls("ghcr.io", overriding) == ["https://m", "https://m/v2", "https://m/proxy/ghcr", "https://m/a/c"]


def test_a_mirror_is_told_whose_images_are_meant_and_the_host_itself_is_not() -> None:
    registries = Registries({"docker.io": mirror("https://m.lan", "https://registry-1.docker.io/proxy")})

    assert [each.namespace for each in found("docker.io", registries)] == ["docker.io", "", ""]


def test_credentials_are_of_the_endpoint_asked_and_the_configs_come_first() -> None:
    registries = Registries({"ghcr.io": mirror("https://m.lan:5000")}, {"m.lan:5000": Auth("config", "a")})
    docker = Credentials({"m.lan:5000": Login("docker", "b"), "ghcr.io": Login("docker", "c")})

    logins = [endpoint.login for endpoint in found("ghcr.io", registries, docker)]

    assert logins == [Login("config", "a"), Login("docker", "c")]


def test_docker_hub_goes_by_both_of_its_names() -> None:
    for name in ("docker.io", "registry-1.docker.io"):
        (endpoint,) = found("docker.io", Registries(auths={name: Auth("a", "b")}))
        assert endpoint.login == Login("a", "b")
    (endpoint,) = found("docker.io", Registries(), Credentials({"docker.io": Login("a", "b")}))
    assert endpoint.login == Login("a", "b")


def test_a_port_that_is_the_schemes_own_may_be_written_or_not() -> None:
    for key, url in (("m.lan", "https://m.lan:443"), ("m.lan:443", "https://m.lan"), ("m.lan:80", "http://m.lan")):
        registries = Registries({"ghcr.io": mirror(url, skip_fallback=True)}, {key: Auth("a", "b")})
        (endpoint,) = found("ghcr.io", registries)
        assert endpoint.login == Login("a", "b")


def test_the_forms_of_credentials_have_talos_order() -> None:
    assert Auth("a", "b", "Yzpk", "token").login == Login("a", "b")
    assert Auth("", "", "Yzpk", "token").login == IdentityToken("token")
    assert Auth("", "", "Yzpk").login == Login("c", "d")
    assert Auth().login is None


def test_tls_settings_are_for_https_alone() -> None:
    registries = Registries({"ghcr.io": mirror("http://m.lan", "https://m.lan")}, tls={"m.lan": Tls(ca=b"x")})

    assert [each.tls for each in found("ghcr.io", registries)] == [None, Tls(ca=b"x"), None]


@given(HOSTS, REGISTRIES)
def test_every_endpoint_is_asked_once_and_the_host_last_unless_it_is_skipped(host: str, registries: Registries) -> None:
    own = registries.mirrors.get(host, registries.mirrors.get(ANY_HOST, Mirror()))
    endpoints = urls(host, registries)
    itself = urls(host, Registries())

    assert len(set(endpoints)) == len(endpoints) <= len(own.endpoints) + 1
    if not own.skip_fallback:
        assert set(itself) <= set(endpoints)
    if not own.endpoints and not own.skip_fallback:
        assert endpoints == itself


@given(HOSTS, REGISTRIES)
def test_nobody_is_shown_the_credentials_or_tls_settings_of_another_host(host: str, registries: Registries) -> None:
    for endpoint in found(host, registries):
        authority = endpoint.url.partition("://")[2].partition("/")[0].replace("registry-1.docker.io", "docker.io")
        auth = registries.auths.get(authority)
        assert endpoint.login == (auth.login if auth else None)
        assert endpoint.tls is None or authority in registries.tls


@given(HOSTS, REGISTRIES)
def test_no_repr_shows_a_secret(host: str, registries: Registries) -> None:
    assert "secret" not in repr(found(host, registries)) + repr(registries) + str(registries)
