"""With a registry that misbehaves, a pull is patient where that helps and suspicious where it must be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from talos.extensions import oci
from talos.extensions.blobs import BlobStore
from talos.extensions.credentials import Credentials
from talos.extensions.pull_errors import MalformedImage, NotAuthorized, RegistryUnreachable, TooLarge
from tests.talos.extensions.puller import login, pulled
from tests.talos.extensions.scripted_registry import Answer, Asked, scripted_registry
from tests.talos.extensions.served_image import Served

pytestmark = pytest.mark.anyio

SECRET = "the secret password"


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


async def pull_from(
    answer: Callable[[Asked], Answer], store: BlobStore, *, password: str | None = None
) -> tuple[list[Asked], Exception | None]:
    """Pull from a scripted registry; return what it was asked, and what came of it."""
    async with scripted_registry(answer) as registry:
        credentials = Credentials() if password is None else login(registry.host, "node", password)
        try:
            await pulled(f"{registry.host}/a/b:v1", store, credentials=credentials)
        except Exception as error:
            return registry.asked, error
        return registry.asked, None


async def test_a_cut_transfer_is_taken_up_where_it_ended(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        good = served(asked)
        first = served.is_layer(asked) and "range" not in asked.headers
        return Answer(good.status, good.body, good.headers, cut_after=100) if first else good

    asked, error = await pull_from(answer, store)

    assert error is None
    assert [each.headers.get("range") for each in asked if served.is_layer(each)] == [None, "bytes=100-"]
    assert served.layer in store


async def test_a_damaged_rest_of_an_earlier_run_is_fetched_anew(served: Served, store: BlobStore) -> None:
    with store.writer(served.layer) as writer:
        writer.write(b"not what was sent")

    asked, error = await pull_from(served, store)

    assert error is None
    assert [each.headers.get("range") for each in asked if served.is_layer(each)] == ["bytes=17-", None]
    assert served.layer in store


async def test_the_next_pull_takes_up_what_the_last_one_left(served: Served, store: BlobStore) -> None:
    def failing(asked: Asked) -> Answer:
        good = served(asked)
        return Answer(good.status, good.body, good.headers, cut_after=50) if served.is_layer(asked) else good

    def stuck(asked: Asked) -> Answer:
        broken = served.is_layer(asked) and "range" in asked.headers
        return Answer(503) if broken else failing(asked)

    _, error = await pull_from(stuck, store)
    asked, second = await pull_from(served, store)

    assert isinstance(error, RegistryUnreachable)
    assert second is None
    assert [each.headers.get("range") for each in asked if served.is_layer(each)] == ["bytes=50-"]


async def test_a_registry_without_ranges_starts_from_the_front(served: Served, store: BlobStore) -> None:
    tries: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        whole = served(Asked(asked.path, {}))
        if not served.is_layer(asked):
            return whole
        tries.append(asked)
        return Answer(200, whole.body, cut_after=100 if len(tries) == 1 else None)

    _, error = await pull_from(answer, store)

    assert error is None
    assert served.layer in store


async def test_another_range_than_asked_is_refused(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        good = served(asked)
        if not served.is_layer(asked):
            return good
        if "range" in asked.headers:
            return Answer(206, good.body, {"Content-Range": "bytes 7-9/10"})
        return Answer(200, good.body, cut_after=100)

    _, error = await pull_from(answer, store)

    assert isinstance(error, MalformedImage)


async def test_a_range_that_cannot_be_had_starts_from_the_front(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        if served.is_layer(asked) and "range" in asked.headers:
            return Answer(416)
        return served(asked)

    with store.writer(served.layer) as writer:
        writer.write(b"from another time")

    _, error = await pull_from(answer, store)

    assert error is None
    assert served.layer in store


async def test_a_connection_that_keeps_breaking_ends_the_pull_for_now(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        good = served(asked)
        return Answer(200, good.body, cut_after=0) if served.is_layer(asked) else good

    asked, error = await pull_from(answer, store)

    assert isinstance(error, RegistryUnreachable)
    assert error.transient
    assert sum(map(served.is_layer, asked)) == 3


@pytest.mark.parametrize(("status", "transient"), [(500, True), (503, True), (429, True), (400, False), (418, False)])
async def test_an_answer_tells_whether_to_try_again(store: BlobStore, status: int, *, transient: bool) -> None:
    _, error = await pull_from(lambda _: Answer(status), store)

    assert isinstance(error, RegistryUnreachable)
    assert error.transient is transient
    assert f"answered {status}" in str(error)


async def test_an_endless_manifest_is_cut_off(store: BlobStore) -> None:
    _, error = await pull_from(lambda _: Answer(body=b" " * (oci.MAX_MANIFEST_BYTES + 1)), store)

    assert isinstance(error, TooLarge)


async def test_a_token_is_fetched_with_the_password_and_used_without_it(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return Answer(body=b'{"token": "a-token"}')
        if asked.headers.get("authorization") == "Bearer a-token":
            return served(asked)
        realm = f"http://{asked.headers['host']}/token"
        challenge = f'Bearer realm="{realm}",service="here",scope="repository:a/b:pull"'
        return Answer(401, headers={"WWW-Authenticate": challenge})

    asked, error = await pull_from(answer, store, password=SECRET)

    tokens = [each for each in asked if each.path.startswith("/token")]
    assert error is None
    assert len(tokens) == 1
    assert "service=here" in tokens[0].path
    assert "scope=repository%3Aa%2Fb%3Apull" in tokens[0].path
    assert [each.headers.get("authorization", "").split(" ")[0] for each in asked[:3]] == ["", "Basic", "Bearer"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_server_that_refuses_is_told(store: BlobStore, status: int) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/token"):
            return Answer(status)
        return Answer(401, headers={"WWW-Authenticate": f'Bearer realm="http://{asked.headers["host"]}/token"'})

    _, error = await pull_from(answer, store, password=SECRET)

    assert isinstance(error, NotAuthorized)
    assert SECRET not in str(error)


@pytest.mark.parametrize(
    "realm", ["http://registry.example/token", "file:///etc/passwd", "http://user:x@127.0.0.1/token", "not an address"]
)
async def test_a_realm_that_may_not_be_trusted_gets_no_password(store: BlobStore, realm: str) -> None:
    _, error = await pull_from(
        lambda _: Answer(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'}), store, password=SECRET
    )

    assert isinstance(error, RegistryUnreachable)
    assert not error.transient
    assert "named a token server" in str(error)


@pytest.mark.parametrize("header", ["", "Negotiate", 'Digest realm="x"', "???"])
async def test_a_challenge_that_is_not_spoken_here_is_told(store: BlobStore, header: str) -> None:
    _, error = await pull_from(lambda _: Answer(401, headers={"WWW-Authenticate": header}), store, password=SECRET)

    assert isinstance(error, NotAuthorized)


async def test_the_password_does_not_follow_a_redirect_to_another_host(served: Served, store: BlobStore) -> None:
    async with scripted_registry(served) as elsewhere:

        def answer(asked: Asked) -> Answer:
            if "authorization" not in asked.headers:
                return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            if served.is_layer(asked):
                return Answer(307, headers={"Location": f"http://{elsewhere.host}{asked.path}"})
            return served(asked)

        asked, error = await pull_from(answer, store, password=SECRET)

    assert error is None
    assert any("authorization" in each.headers for each in asked)
    assert len(elsewhere.asked) == 1
    assert "authorization" not in elsewhere.asked[0].headers


async def test_the_password_follows_a_redirect_within_the_registry(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        if "authorization" not in asked.headers:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        if not asked.path.startswith("/moved"):
            return Answer(302, headers={"Location": f"/moved{asked.path}"})
        return served(asked)

    _, error = await pull_from(answer, store, password=SECRET)

    assert error is None


@pytest.mark.parametrize(
    "location", ["http://registry.example/x", "ftp://127.0.0.1/x", "http://user:x@127.0.0.1/", "http://[", ""]
)
async def test_a_redirect_to_where_we_may_not_go_is_refused(store: BlobStore, location: str) -> None:
    _, error = await pull_from(lambda _: Answer(302, headers={"Location": location}), store)

    assert isinstance(error, RegistryUnreachable)
    assert not error.transient
    assert "redirected" in str(error)


async def test_redirects_end(store: BlobStore) -> None:
    asked, error = await pull_from(lambda each: Answer(302, headers={"Location": each.path + "x"}), store)

    assert isinstance(error, RegistryUnreachable)
    assert "more than 5 times" in str(error)
    assert len(asked) == 6


async def test_a_signed_address_is_not_shown(store: BlobStore) -> None:
    _, error = await pull_from(
        lambda _: Answer(302, headers={"Location": "http://127.0.0.1:1/blob?signature=secret"}), store
    )

    assert isinstance(error, RegistryUnreachable)
    assert "secret" not in str(error)
