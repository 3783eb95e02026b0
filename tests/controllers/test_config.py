"""What a ConfigRequest asks for is done once, whatever fails on the way, and its answer says what came of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controllers.config import ConfigController
from cosi.state.filtered import Verb
from cosi.testing.clock import ManualClock
from cosi.testing.world import World, living, running
from resources import config_request, config_status, machine_config
from resources.config_request import ConfigRequest, ConfigRequestSpec, ConfigUse
from resources.config_status import ConfigStatus, ConfigStatusSpec
from resources.machine_config import MachineConfig
from talos.config.config_files import ConfigFiles

OLD = b"version: v1alpha1\n# old\n"
NEW = b"version: v1alpha1\n# new\n"

pytestmark = pytest.mark.anyio


@pytest.fixture
def files(tmp_path: Path) -> ConfigFiles:
    (tmp_path / "state").mkdir()
    (tmp_path / "machine.yaml").write_bytes(OLD)
    return ConfigFiles(tmp_path / "machine.yaml", tmp_path / "state")


@pytest.fixture(autouse=True)
def unprinted_log() -> Iterator[None]:
    """Have no tracebacks printed: that takes longer than all else here."""
    with capture_logs():
        yield


async def ask(world: World, use: ConfigUse, config: bytes = NEW, *, id: str = "1", first: bool = False) -> str:
    """Ask for something, and return why it was refused."""
    spec = ConfigRequestSpec(request=id, use=use, seconds=60, config=config, first=first)
    await world.state.modify(ConfigRequest.new(config_request.ID, spec))
    await world.settle()
    status = await told(world)
    assert status.request == id
    return status.refused


async def told(world: World) -> ConfigStatusSpec:
    return (await world.state.get(ConfigStatus, config_status.ID)).spec


async def in_force(world: World) -> bytes:
    return (await world.state.get(MachineConfig, machine_config.ID)).spec.yaml_marshalled


async def test_the_file_is_in_force(files: ConfigFiles) -> None:
    async with running(ConfigController(files)) as world:
        await world.expect(MachineConfig.active(OLD))
        await world.expect(MachineConfig.lasting(OLD))
        assert (await told(world)).in_force == "the config file"


@pytest.mark.parametrize(
    ("use", "active", "lasting"),
    [(ConfigUse.APPLY, NEW, NEW), (ConfigUse.STAGE, OLD, NEW), (ConfigUse.TRY, NEW, OLD)],
)
async def test_each_use_says_what_is_in_force_and_what_lasts(
    files: ConfigFiles, use: ConfigUse, active: bytes, lasting: bytes
) -> None:
    async with running(ConfigController(files, clock=ManualClock())) as world:
        assert await ask(world, use) == ""

        await world.expect(MachineConfig.active(active))
        await world.expect(MachineConfig.lasting(lasting))
        assert (await told(world)).staged is (use is ConfigUse.STAGE)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (ConfigRequestSpec(request="1", use=ConfigUse.APPLY, config=b"version: v2"), "the config: line 1: version"),
        (ConfigRequestSpec(request="1", config=NEW), "nothing is asked for"),
        (ConfigRequestSpec(request="1", use=ConfigUse.APPLY, config=NEW, first=True), "the node has a config by now"),
    ],
)
async def test_what_is_refused_changes_nothing(files: ConfigFiles, spec: ConfigRequestSpec, reason: str) -> None:
    async with running(ConfigController(files)) as world:
        await world.state.create(ConfigRequest.new(config_request.ID, spec))
        await world.settle()

        assert (await told(world)).refused.startswith(reason)
        assert await in_force(world) == OLD
    assert files.file.read_bytes() == OLD


async def test_without_a_config_nothing_is_tried(files: ConfigFiles) -> None:
    files.file.unlink()

    async with running(ConfigController(files)) as world:
        assert "no config to go back to" in await ask(world, ConfigUse.TRY)
        assert await world.state.list(MachineConfig) == []


async def test_a_trial_outlives_a_failure_and_ends_at_its_time(files: ConfigFiles) -> None:
    clock = ManualClock()
    async with running(ConfigController(files, clock=clock), allow_failures=True) as world:
        await ask(world, ConfigUse.TRY)
        world.faults.fail(Verb.UPDATE, ConfigStatus)
        await world.state.modify(ConfigRequest.new(config_request.ID, ConfigRequestSpec(request="2")))
        await world.settle()
        assert world.failures
        await world.clock.advance(10)

        assert await in_force(world) == NEW
        await clock.advance(60)
        await world.settle()
        assert await in_force(world) == OLD


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("use", [ConfigUse.APPLY, ConfigUse.STAGE])
async def test_a_request_is_done_though_its_answer_was_lost(files: ConfigFiles, use: ConfigUse, after: bool) -> None:
    async with running(ConfigController(files), allow_failures=True) as world:
        await world.settle()
        world.faults.fail(Verb.UPDATE, ConfigStatus, after=after)
        spec = ConfigRequestSpec(request="1", use=use, config=NEW)
        await world.state.create(ConfigRequest.new(config_request.ID, spec))
        await world.settle()
        await world.clock.advance(10)

        assert (await told(world)).request == "1"
        await world.expect(MachineConfig.lasting(NEW))


async def test_a_request_that_was_answered_is_not_done_again(files: ConfigFiles) -> None:
    async with living(lambda: [ConfigController(files)]) as world:
        await ask(world, ConfigUse.APPLY)
        files.file.write_bytes(OLD)
        await world.restart()

        assert await in_force(world) == OLD
        world.check_failures()
