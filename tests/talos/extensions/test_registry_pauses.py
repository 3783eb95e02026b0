"""A registry that asks to be left alone is not asked before its time, by no pull."""

from pathlib import Path

import pytest

from talos.extensions.blobs import BlobStore
from talos.extensions.pauses import MAX_PAUSE_SECONDS, Pauses
from talos.extensions.pull_errors import (
    EndpointsFailed,
    RegistryUnreachable,
)
from talos.extensions.registries import Auth, Registries
from tests.talos.extensions.mirrors import CLOSED, busy, mirrored, running
from tests.talos.extensions.puller import pulled
from tests.talos.extensions.scripted_registry import Answer, Asked
from tests.talos.extensions.served_image import Served

pytestmark = pytest.mark.anyio

SECRET = "the secret password"


@pytest.fixture
def served(tmp_path: Path) -> Served:
    return Served(tmp_path)


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_who_asks_to_be_left_alone_is_left_alone_by_the_next_pull_too(served: Served, store: BlobStore) -> None:
    clock = Clock()
    pauses = Pauses(clock)
    async with running(busy, served) as (mirror, itself):
        registries = mirrored(mirror.host)
        await pulled(f"{itself.host}/a/b:v1", store, registries=registries, pauses=pauses)
        clock.seconds = 119
        await pulled(f"{itself.host}/a/b:v1", store, registries=registries, pauses=pauses)
        asked_before = len(mirror.asked)
        clock.seconds = 121
        await pulled(f"{itself.host}/a/b:v1", store, registries=registries, pauses=pauses)

    assert (asked_before, len(mirror.asked)) == (1, 2)


async def test_the_wait_is_in_the_error_and_other_credentials_are_another_caller(store: BlobStore) -> None:
    pauses = Pauses(Clock())
    async with running(busy) as (itself,):
        for _ in range(2):
            with pytest.raises(RegistryUnreachable, match="in 120 seconds") as caught:
                await pulled(f"{itself.host}/a/b:v1", store, pauses=pauses)
        asked_before = len(itself.asked)
        registries = Registries(auths={itself.host: Auth("node", SECRET)})
        with pytest.raises(RegistryUnreachable):
            await pulled(f"{itself.host}/a/b:v1", store, pauses=pauses, registries=registries)

    assert caught.value.retry_after == 120
    assert (asked_before, len(itself.asked)) == (1, 2)


async def test_a_blob_is_not_asked_for_again_before_its_time(served: Served, store: BlobStore) -> None:
    async with running(lambda asked: busy(asked) if served.is_layer(asked) else served(asked)) as (itself,):
        with pytest.raises(RegistryUnreachable):
            await pulled(f"{itself.host}/a/b:v1", store)

    assert sum(map(served.is_layer, itself.asked)) == 1


async def test_the_next_time_is_that_of_the_endpoint_that_may_be_asked_first(store: BlobStore) -> None:
    def busier(_: Asked) -> Answer:
        return Answer(503, headers={"Retry-After": "86400"})

    async with running(busier, busy) as (mirror, itself):
        with pytest.raises(EndpointsFailed) as caught:
            await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host))
        with pytest.raises(EndpointsFailed) as with_another:
            await pulled(f"{itself.host}/a/b:v1", store, registries=mirrored(mirror.host, CLOSED))

    assert caught.value.retry_after == 120
    assert caught.value.failures[0].retry_after == MAX_PAUSE_SECONDS
    assert with_another.value.retry_after is None
