"""A fetch that failed comes again when its registry wants it to, or the config has changed, and not before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controllers.extension_fetch import MAX_AWAITED_SECONDS, ExtensionFetchController
from cosi.testing.world import World
from cosi.testing.world import running as world_of
from resources.extension_image import ExtensionImage, ExtensionImageSpec, FetchState
from resources.extension_spec import ExtensionSpec, ExtensionSpecSpec
from resources.registries_config import RegistriesConfig
from talos.extensions.blobs import BlobStore
from talos.extensions.oci import Platform
from talos.extensions.registries import ANY_HOST, Mirror, MirrorEndpoint, Registries
from tests.talos.extensions.mirrors import busy, running
from tests.talos.extensions.scripted_registry import Answer, Asked
from tests.talos.extensions.served_image import Served

pytestmark = pytest.mark.anyio


class Fetching:
    """A fetch controller in a world of its own, whose clock is the pauses' too."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def want(self, image: str, id: str = "x") -> None:
        await self.world.state.create(ExtensionSpec.new(id, ExtensionSpecSpec(image=image)))
        await self.world.settle()

    async def say(self, *mirrors: str) -> None:
        endpoints = tuple(MirrorEndpoint(f"http://{host}") for host in mirrors)
        said = Registries({ANY_HOST: Mirror(endpoints, skip_fallback=True)})
        await self.world.state.modify(RegistriesConfig.from_registries(said))
        await self.world.settle()

    async def image(self, id: str = "x") -> ExtensionImageSpec:
        return (await self.world.state.get(ExtensionImage, id)).spec


@asynccontextmanager
async def fetching(directory: Path) -> AsyncIterator[Fetching]:
    worlds: list[World] = []
    controller = ExtensionFetchController(
        BlobStore(directory / "store"),
        base_directory=directory,
        platform=Platform("linux", "amd64"),
        now=lambda: worlds[0].clock.now(),
    )
    async with world_of(controller, allow_failures=True) as world:
        worlds.append(world)
        yield Fetching(world)


def busy_for(seconds: float) -> Answer:
    return Answer(503, headers={"Retry-After": str(seconds)})


async def test_a_fetch_waits_for_as_long_as_the_registry_asks(tmp_path: Path) -> None:
    served, asked = Served(tmp_path), list[Asked]()

    def once_busy(each: Asked) -> Answer:
        asked.append(each)
        return busy(each) if len(asked) == 1 else served(each)

    async with running(once_busy) as (registry,), fetching(tmp_path) as fetch:
        await fetch.want(f"{registry.host}/a/b:v1")
        await fetch.world.clock.advance(119)
        waiting, asked_by_then = await fetch.image(), len(asked)
        await fetch.world.clock.advance(1)
        arrived = await fetch.image()

    assert (waiting.state, asked_by_then) == (FetchState.FAILED, 1)
    assert arrived.state is FetchState.READY


async def test_other_extensions_of_the_registry_wait_with_it(tmp_path: Path) -> None:
    async with running(busy) as (registry,), fetching(tmp_path) as fetch:
        await fetch.want(f"{registry.host}/a/b:v1", "x")
        await fetch.world.clock.advance(60)
        await fetch.want(f"{registry.host}/c/d:v1", "y")
        other = await fetch.image("y")
        await fetch.world.clock.advance(59)
        before = len(registry.asked)
        await fetch.world.clock.advance(1)

    assert "60 seconds" in other.remedy
    assert before == 1
    assert len(registry.asked) > before


@pytest.mark.parametrize(("seconds", "passing"), [(1, True), (2, False), (3600, False)])
async def test_only_a_short_wait_is_one_that_the_first_start_waits_for(
    tmp_path: Path, seconds: int, *, passing: bool
) -> None:
    async with running(lambda _: busy_for(seconds)) as (registry,), fetching(tmp_path) as fetch:
        await fetch.want(f"{registry.host}/a/b:v1")
        image = await fetch.image()

    assert MAX_AWAITED_SECONDS < 2
    assert image.passing is passing


async def test_a_changed_config_ends_the_wait(tmp_path: Path) -> None:
    async with running(busy, Served(tmp_path)) as (first, second), fetching(tmp_path) as fetch:
        await fetch.say(first.host)
        await fetch.want("registry.invalid/a/b:v1")
        before = await fetch.image()
        await fetch.say(second.host)
        after = await fetch.image()

    assert (before.state, after.state) == (FetchState.FAILED, FetchState.READY)


async def test_a_changed_config_does_not_make_a_registry_be_asked_before_its_time(tmp_path: Path) -> None:
    async with running(busy, busy) as (first, second), fetching(tmp_path) as fetch:
        await fetch.say(first.host)
        await fetch.want("registry.invalid/a/b:v1")
        await fetch.say(first.host, second.host)

    assert (len(first.asked), len(second.asked)) == (1, 1)


async def test_what_is_here_is_not_fetched_again_when_the_config_changes(tmp_path: Path) -> None:
    async with running(Served(tmp_path), busy) as (first, second), fetching(tmp_path) as fetch:
        await fetch.say(first.host)
        await fetch.want("registry.invalid/a/b:v1")
        await fetch.say(second.host)
        image = await fetch.image()

    assert image.state is FetchState.READY
    assert second.asked == []
