"""Each endpoint is shown the credentials that are for it, and nobody anything else."""

from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore
from talos.extensions.credentials import Credentials, Login
from talos.extensions.pull_errors import (
    EndpointsFailed,
    NotAuthorized,
)
from talos.extensions.registries import Auth, Registries
from tests.talos.extensions.mirrors import Script, behind_password, broken, busy, locked, mirrored, running
from tests.talos.extensions.puller import pulled
from tests.talos.extensions.scripted_registry import Answer, Asked
from tests.talos.extensions.served_image import Served

pytestmark = pytest.mark.anyio

SECRET = "the secret password"


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


async def test_credentials_are_shown_to_the_endpoint_they_are_for(served: Served, store: BlobStore) -> None:
    async with running(locked, behind_password(served)) as (mirror, itself):
        registries = mirrored(mirror.host, auths={itself.host: Auth("node", SECRET)})
        await pulled(f"{itself.host}/a/b:v1", store, registries=registries)

    assert all("authorization" not in asked.headers for asked in mirror.asked)
    assert any("authorization" in asked.headers for asked in itself.asked)


async def test_credentials_of_a_mirror_do_not_follow_its_redirect_to_the_host(served: Served, store: BlobStore) -> None:
    async with running(served) as (itself,):

        def moved(asked: Asked) -> Answer:
            return Answer(307, headers={"Location": f"http://{itself.host}{asked.path}"})

        async with running(behind_password(moved)) as (mirror,):
            registries = mirrored(mirror.host, auths={mirror.host: Auth("node", SECRET)})
            await pulled(f"{itself.host}/a/b:v1", store, registries=registries)

    assert itself.asked
    assert all("authorization" not in asked.headers for asked in itself.asked)


@pytest.mark.parametrize("script", [locked, busy, broken])
async def test_no_error_shows_a_secret(store: BlobStore, script: Script) -> None:
    async with running(script, script) as (mirror, itself):
        auths = {each.host: Auth("node", SECRET) for each in (mirror, itself)}
        with pytest.raises(EndpointsFailed) as caught:
            await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host, auths=auths))

    assert SECRET not in str(caught.value) + repr(caught.value) + repr(caught.value.failures)


async def test_an_identity_token_is_exchanged_for_a_token(served: Served, store: BlobStore) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/token":
            return Answer(body=b'{"access_token": "a-token"}')
        if asked.headers.get("authorization") == "Bearer a-token":
            return served(asked)
        challenge = f'Bearer realm="http://{asked.headers["host"]}/token",service="here"'
        return Answer(401, headers={"WWW-Authenticate": challenge})

    async with running(answer) as (itself,):
        registries = Registries(auths={itself.host: Auth(identity_token="exchange-me")})
        await pulled(f"{itself.host}/a/b:v1", store, registries=registries)

    (exchange,) = [asked for asked in itself.asked if asked.path == "/token"]
    assert exchange.method == "POST"
    assert "grant_type=refresh_token" in exchange.body
    assert "refresh_token=exchange-me" in exchange.body
    assert "service=here" in exchange.body
    assert "scope=repository%3Aa%2Fb%3Apull" in exchange.body


async def test_an_identity_token_is_no_password(store: BlobStore) -> None:
    async with running(locked) as (itself,):
        with pytest.raises(NotAuthorized):
            await pulled(
                f"{itself.host}/a/b:v1", store, registries=Registries(auths={itself.host: Auth(identity_token=SECRET)})
            )

    assert len(itself.asked) == 1


async def test_logins_of_docker_are_used_where_the_config_is_silent(served: Served, store: BlobStore) -> None:
    async with running(behind_password(served)) as (mirror,):
        credentials = Credentials({mirror.host: Login("node", SECRET)})
        await pulled(
            "ghcr.io/a/b:v1", store, credentials=credentials, registries=mirrored(mirror.host, skip_fallback=True)
        )

    assert served.layer in store
