"""A node that is killed at any moment, whatever it was asked for then, is whole when it starts again.

A client asks for one thing after the other, drawn by chance, and the kill comes at a moment drawn by chance. What was
answered holds afterwards, what was not was done or not; nothing half done is left, and the login goes on to open.
"""

import random
import signal
import ssl
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from machined.login import now
from resources import machine_config
from resources.boot_status import BootStatus
from resources.config_status import ConfigStatus
from resources.extension_plan import ExtensionPlan, PlanState
from resources.machine_config import MachineConfig
from talos._pb.machine import machine_pb2
from talos._pb.machine.machine_pb2 import ApplyConfigurationRequest as Request
from talos.access.authorities import Authorities, RotationError
from talos.extensions.mounts import mounted_below
from tests.e2e.conftest import GVISOR, HELLO, wait_for
from tests.e2e.programs import Node, machined_run
from tests.scenarios.door import administrator
from tests.talosctl import lifecycle
from tests.talosctl.talosctl import MACHINE
from tests.talosctl.wire import CallFailed

LIVES = 2
MAX_LIFE_SECONDS = 0.8
"""About what a client's first three requests take."""

Extensions = tuple[str, ...]
CHOICES: Sequence[Extensions] = ((HELLO,), (GVISOR,), (HELLO, GVISOR), (GVISOR, HELLO))
MISSED = (OSError, ssl.SSLError, CallFailed, lifecycle.UpgradeFailed)
"""How a client learns that the node is going away, or does not do as it was told."""


class Client:
    """Asks for one thing after the other, and keeps account of what the node may be when it starts again."""

    def __init__(self, site: Path, chance: random.Random) -> None:
        self.lasting: set[bytes] = {config((HELLO,), 0)}
        self.images: set[Extensions] = {(HELLO,)}
        self._site = site
        self._chance = chance
        self._told = 0
        self._tried: set[bytes] = set()

    async def ask_until_killed(self, node: Node) -> None:
        """Ask, and have the node killed at some moment in the middle of that."""
        asks = (self._apply, self._stage, self._try, self._upgrade, self._reboot, self._pull, self._rotate)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_kill, node, self._chance.uniform(0, MAX_LIFE_SECONDS))
            while node.process.poll() is None:
                with suppress(*MISSED):
                    await self._chance.choice(asks)()
        self._tried = set()

    async def _apply(self) -> None:
        await self._put(self._new(), Request.NO_REBOOT)

    async def _stage(self) -> None:
        await self._put(self._new(), Request.STAGED)

    async def _put(self, new: bytes, mode: Request.Mode) -> None:
        self.lasting, before = {*self.lasting, new}, self.lasting
        async with administrator(self._site).talosctl() as client:
            await client.apply_config(new, mode)
        self.lasting, self._tried = {new}, {*self._tried, *before}

    async def _try(self) -> None:
        new = self._new()
        self._tried.add(new)
        async with administrator(self._site).talosctl() as client:
            await client.apply_config(new, Request.TRY)

    async def _upgrade(self) -> None:
        installed = {extensions_of(each) for each in (*self.lasting, *self._tried)}
        self.images |= installed
        async with administrator(self._site).talosctl() as client:
            await lifecycle.lifecycle_upgrade(client)
        self.images = installed

    async def _reboot(self) -> None:
        async with administrator(self._site).talosctl() as client:
            await client.unary(f"{MACHINE}/Reboot", machine_pb2.RebootRequest(), machine_pb2.RebootResponse)

    async def _pull(self) -> None:
        async with administrator(self._site).talosctl() as client:
            await lifecycle.image_pull(client)

    async def _rotate(self) -> None:
        authorities = Authorities(self._site / "state/pki")
        step = self._chance.choice((partial(authorities.begin_rotation, now()), authorities.finish_rotation))
        with suppress(RotationError):
            await to_thread.run_sync(step)

    def _new(self) -> bytes:
        self._told += 1
        return config(self._chance.choice(CHOICES), self._told)


@pytest.mark.parametrize("seed", range(3))
def test_a_node_killed_at_any_moment_is_whole_when_it_starts_again(tmp_path: Path, images: Path, seed: int) -> None:
    site, client = tmp_path / "site", Client(tmp_path / "site", random.Random(seed))
    site.mkdir()
    (site / "images").symlink_to(images)
    (site / "machine.yaml").write_bytes(config((HELLO,), 0))
    options = ("--listen", "127.0.0.1:0", "--talosconfig", str(site / "talosconfig"), "--talos-version", "v1.14.0")

    for life in range(LIVES + 1):
        with machined_run(site, site / "machine.yaml", *options) as node:
            check(node, client)
            if life < LIVES:
                anyio.run(client.ask_until_killed, node)
                continue
            for index, extension in enumerate(extensions_of((site / "machine.yaml").read_bytes())):
                wait_for(
                    node,
                    ExtensionPlan,
                    f"{index:03}.oci-images-{extension}",
                    lambda plan: plan.spec.state is not PlanState.PENDING,
                )
            assert node.stop() == 0

    assert mounted_below(site) == []
    assert list(site.glob("state/**/partial/*")) == []


def check(node: Node, client: Client) -> None:
    """See that a node has started as it may, and what it has become; from then on that is what it is."""
    site = node.directory
    boot = wait_for(node, BootStatus, "boot", lambda status: status.spec.image != "")
    status = wait_for(node, ConfigStatus, "machine")
    in_force = wait_for(node, MachineConfig, machine_config.ID).spec.yaml_marshalled
    assert status.spec.valid
    assert in_force in client.lasting
    assert (site / "machine.yaml").read_bytes() == (site / "state/config.yaml").read_bytes() == in_force

    root = Path(boot.spec.root)
    assert (boot.spec.problem, boot.spec.fallback) == ("", "")
    active = tuple(
        line.split("oci-images-")[1].removesuffix(".sqsh")
        for line in (root / "etc/extensions.yaml").read_text().splitlines()
        if "oci-images-" in line
    )
    assert active in client.images
    client.lasting, client.images = {in_force}, {active}

    assert anyio.run(version, site)
    hidden = {str(path.relative_to(site)) for path in site.rglob(".*") if "root" not in path.name}
    assert hidden == set()
    assert len(list((site / "state").glob(".root.*"))) == 1, "the tree that is shown, and no other"
    assert {path.name for path in site.iterdir()} == {"images", "log", "machine.yaml", "run", "state", "talosconfig"}


async def _kill(node: Node, after_seconds: float) -> None:
    await anyio.sleep(after_seconds)
    node.stop(signal.SIGKILL)


async def version(site: Path) -> bool:
    async with administrator(site).talosctl() as talosctl:
        return bool(await talosctl.version())


def config(extensions: Extensions, number: int) -> bytes:
    """Return a config that asks for these extensions, and is like no other."""
    lines = "".join(f"      - image: oci:images:{extension}\n" for extension in extensions)
    return f"# {number}\nversion: v1alpha1\nmachine:\n  install:\n    extensions:\n{lines}".encode()


def extensions_of(config: bytes) -> Extensions:
    return tuple(line.rpartition(":")[2] for line in config.decode().splitlines() if "oci:images:" in line)
