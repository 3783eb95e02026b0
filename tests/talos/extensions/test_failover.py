"""A mirror that can't serve is passed over, and the error at the end tells of each."""

from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore
from talos.extensions.pull_errors import (
    DigestMismatch,
    EndpointsFailed,
    ImageNotFound,
    NotAuthorized,
    RegistryUnreachable,
)
from talos.extensions.registries import ANY_HOST, Mirror, MirrorEndpoint, Registries
from tests.talos.extensions.mirrors import CLOSED, Script, broken, busy, locked, mirrored, missing, running
from tests.talos.extensions.puller import pulled
from tests.talos.extensions.scripted_registry import Answer, Asked
from tests.talos.extensions.served_image import Served

pytestmark = pytest.mark.anyio


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


@pytest.mark.parametrize("script", [missing, broken, locked, busy, lambda _: Answer(418)])
async def test_a_mirror_that_cannot_serve_is_passed_over(served: Served, store: BlobStore, script: Script) -> None:
    async with running(script, served) as (mirror, itself):
        await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host))

    assert served.layer in store
    assert mirror.asked


async def test_a_mirror_that_is_not_there_is_passed_over_and_not_tried_for_every_blob(
    served: Served, store: BlobStore
) -> None:
    async with running(served) as (itself,):
        await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(CLOSED))

    assert len(itself.asked) == 3


async def test_a_mirror_that_serves_is_the_only_one_asked(served: Served, store: BlobStore) -> None:
    async with running(served, served) as (mirror, itself):
        image = await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host))
        again = await pulled(f"{itself.host}/a/b@{image.digest}", store, registries=mirrored(mirror.host))

    assert itself.asked == []
    assert again.digest == image.digest
    assert all(asked.path.startswith("/v2/a/b/") for asked in mirror.asked)
    assert all(asked.path.endswith(f"?ns={itself.host.replace(':', '%3A')}") for asked in mirror.asked)


async def test_a_path_that_overrides_is_used_as_it_is(served: Served, store: BlobStore) -> None:
    async with running(served) as (mirror,):
        endpoint = MirrorEndpoint(f"http://{mirror.host}/proxy/", override_path=True)
        await pulled("ghcr.io/a/b:v1", store, registries=Registries({ANY_HOST: Mirror((endpoint,), True)}))

    assert all(asked.path.startswith("/proxy/a/b/") for asked in mirror.asked)


async def test_a_blob_that_one_mirror_lacks_comes_from_the_next(served: Served, store: BlobStore) -> None:
    async with running(lambda asked: missing(asked) if served.is_layer(asked) else served(asked), served) as (
        mirror,
        itself,
    ):
        await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host))

    assert [served.is_layer(asked) for asked in itself.asked] == [True]
    assert served.layer in store


async def test_a_transfer_that_breaks_is_taken_up_at_the_next_endpoint(served: Served, store: BlobStore) -> None:
    def cut(asked: Asked) -> Answer:
        good = served(asked)
        return Answer(200, good.body, cut_after=100) if served.is_layer(asked) else good

    async with running(cut, served) as (mirror, itself):
        await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host))

    assert [asked.headers.get("range") for asked in itself.asked] == ["bytes=100-"]
    assert served.layer in store


async def test_when_every_transfer_breaks_each_endpoint_has_its_tries_and_is_told(
    served: Served, store: BlobStore
) -> None:
    def stuck(asked: Asked) -> Answer:
        good = served(asked)
        return Answer(200, good.body, cut_after=0) if served.is_layer(asked) else good

    async with running(stuck, stuck, stuck, stuck) as all_four:
        *mirrors, itself = all_four
        registries = mirrored(*[mirror.host for mirror in mirrors])
        with pytest.raises(EndpointsFailed) as caught:
            await pulled(f"{itself.host}/a/b:v1", store, registries=registries)

    assert [sum(map(served.is_layer, each.asked)) for each in all_four] == [3, 3, 3, 3]
    assert all(each.host in str(caught.value) for each in all_four)
    assert caught.value.transient


async def test_the_error_names_every_endpoint_and_why_each_failed(store: BlobStore) -> None:
    async with running(broken, locked, missing) as (first, second, itself):
        registries = mirrored(CLOSED, first.host, second.host)
        with pytest.raises(EndpointsFailed) as caught:
            await pulled(f"{itself.host}/a/b:v1", store, registries=registries)

    assert caught.value.problem == (
        f"none of 4 endpoints has it: registry http://{CLOSED}: no connection; "
        f"registry http://{first.host}: answered 502 Scripted; "
        f"registry http://{second.host} wants credentials, or the image does not exist; "
        f"{itself.host}/a/b has no image v1"
    )
    assert "check the name and the tag" in caught.value.remedy
    assert [type(failure) for failure in caught.value.failures] == [
        RegistryUnreachable,
        RegistryUnreachable,
        NotAuthorized,
        ImageNotFound,
    ]
    assert caught.value.transient


async def test_what_no_endpoint_has_does_not_pass(store: BlobStore) -> None:
    async with running(missing, missing) as (mirror, itself):
        with pytest.raises(EndpointsFailed) as caught:
            await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host))

    assert not caught.value.transient
    assert caught.value.remedy == "check the name and the tag"


async def test_a_host_for_which_nobody_may_be_asked_is_told(store: BlobStore) -> None:
    with pytest.raises(RegistryUnreachable, match="names no endpoint") as caught:
        await pulled("ghcr.io/a/b:v1", store, registries=mirrored(skip_fallback=True))

    assert not caught.value.transient


async def test_a_mirror_that_changes_what_a_digest_pins_is_refused(served: Served, store: BlobStore) -> None:
    digest = f"sha256:{'0' * 64}"
    async with running(lambda _: Answer(body=served.manifest)) as (mirror,):
        with pytest.raises(DigestMismatch):
            await pulled(f"ghcr.io/a/b@{digest}", store, registries=mirrored(mirror.host, skip_fallback=True))
