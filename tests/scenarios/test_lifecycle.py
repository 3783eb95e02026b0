"""The life of an extension: configured, fetched, validated, installed, active, staged, upgraded, removed."""

import json
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from resources import boot_image, config_status, machine_config
from resources.boot_image import BootImage
from resources.boot_status import BootStatus
from resources.config_status import ConfigStatus
from resources.extension_image import ExtensionImage, FetchState
from resources.extension_manifest import ExtensionManifest, Verdict
from resources.extension_plan import PlanState
from resources.extension_spec import ExtensionSpec
from resources.machine_config import MachineConfig
from talos.extensions.activation import ActivationError, ActiveRoot, Way
from talos.extensions.bootimage import BootImage as Installed
from talos.extensions.reference import extension_id
from talos.extensions.trust import parse_policy
from tests.scenarios.node import Site, active, until, until_active, until_gone, until_planned, upgrade
from tests.talos.extensions import archives

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_the_first_start_installs_and_boots_what_the_config_asks_for(site: Site) -> None:
    first, second = site.add_good_image("first"), site.add_good_image("second")
    site.write_config(first, second)

    async with site.node() as state:
        status = await until_active(state, 1, second)
        image = await state.get(ExtensionImage, extension_id(0, first))
        verdict = await state.get(ExtensionManifest, extension_id(0, first))
        boot = await state.get(BootStatus, "boot")
        listed = await active(state)
        assert (Path(boot.spec.root) / "usr/local/bin/first").read_bytes() == b"content"
        assert "001.oci-images-second.sqsh" in (Path(boot.spec.root) / "etc/extensions.yaml").read_text()

    assert status.spec.image == "001.oci-images-second.sqsh"
    assert status.spec.metadata.name == "sample"
    assert status.metadata.owner == "runtime.ExtensionStatusController"
    assert listed == ["000.oci-images-first", "001.oci-images-second"]
    assert image.spec.state is FetchState.READY
    assert image.spec.manifest.startswith("sha256:")
    assert verdict.spec.verdict is Verdict.VALID
    assert not Path(boot.spec.root).exists()  # all is unmounted on shutdown


async def test_a_later_change_of_the_config_is_staged_until_an_upgrade(site: Site) -> None:
    kept, removed, added = (site.add_good_image(tag) for tag in ("kept", "removed", "added"))
    site.write_config(kept, removed)

    async with site.node() as state:
        await until_active(state, 1, removed)
        site.write_config(kept, added)

        staged = await until_planned(state, 1, added, lambda plan: plan.state is PlanState.STAGED)
        leaving = await until_planned(state, 1, removed, lambda plan: plan.state is PlanState.REMOVED)
        assert "machined upgrade" in staged.message
        assert "machined upgrade" in leaving.message
        assert await active(state) == ["000.oci-images-kept", "001.oci-images-removed"]

        answer = await upgrade(state)
        await until_active(state, 1, added)
        await until_gone(state, ExtensionSpec, extension_id(1, removed))

        assert answer.upgraded
        assert answer.outcome == "upgraded: 1 added, 1 removed, 0 changed, 1 kept"
        assert (await until_planned(state, 1, added, lambda plan: plan.state is PlanState.ACTIVE)).message == ""
        boot = await until(state, BootStatus, "boot", lambda boot: boot.spec.image == answer.name)
        assert not (Path(boot.spec.root) / "usr/local/bin/removed").exists()


async def test_an_upgrade_picks_up_a_tag_that_moved(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        before = await state.get(ExtensionImage, extension_id(0, image))
        site.add_image("good", archives.file("rootfs/usr/local/bin/moved"))

        answer = await upgrade(state)

        after = await state.get(ExtensionImage, extension_id(0, image))
        boot = await until(state, BootStatus, "boot", lambda boot: boot.spec.image == answer.name)
        assert answer.outcome == "upgraded: 0 added, 0 removed, 1 changed, 0 kept"
        assert after.spec.manifest != before.spec.manifest
        assert (Path(boot.spec.root) / "usr/local/bin/moved").exists()


async def test_an_upgrade_that_cannot_look_up_a_tag_is_refused_and_what_runs_goes_on(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        shutil.rmtree(site.layout)

        answer = await upgrade(state)

        assert not answer.upgraded
        assert answer.outcome.startswith("upgrade refused, nothing was changed: 000.oci-images-good: ")
        assert await active(state) == ["000.oci-images-good"]


async def test_an_upgrade_asks_for_nothing_that_a_digest_pins(site: Site) -> None:
    site.add_good_image()
    index = json.loads((site.layout / "index.json").read_bytes())
    image = f"oci:images@{index['manifests'][0]['digest']}"
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        shutil.rmtree(site.layout)

        answer = await upgrade(state)

        assert answer.outcome == "upgraded: nothing had changed"


async def test_an_image_that_does_not_come_up_healthy_gives_way_to_the_one_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = site.add_good_image("first"), site.add_good_image("second")
    site.write_config(first)
    healthy = ActiveRoot._check_health

    def check_health(root: ActiveRoot, image: Installed, tree: Path, way: Way) -> None:
        if image.name == "0002":
            raise ActivationError(root.path, "the second is ill", "heal it")
        healthy(root, image, tree, way)

    monkeypatch.setattr(ActiveRoot, "_check_health", check_health)
    async with site.node() as state:
        await until_active(state, 0, first)
        site.write_config(first, second)
        await until_planned(state, 1, second, lambda plan: plan.state is PlanState.STAGED)
        await upgrade(state)

        boot = await until(state, BootStatus, "boot", lambda boot: boot.spec.fallback != "")
        assert boot.spec.image == "0001"
        assert boot.spec.problem == ""
        assert boot.spec.fallback.startswith("0002 was given up for 0001: ")
        assert "the second is ill" in boot.spec.fallback
        assert (Path(boot.spec.root) / "usr/local/bin/first").exists()
        assert await active(state) == ["000.oci-images-first"]
        await until_planned(state, 1, second, lambda plan: plan.state is PlanState.STAGED)


async def test_a_node_whose_image_was_damaged_while_it_was_off_boots_the_other(site: Site) -> None:
    first, second = site.add_good_image("first"), site.add_good_image("second")
    site.write_config(first)
    async with site.node() as state:
        await until_active(state, 0, first)
        site.write_config(first, second)
        await until_planned(state, 1, second, lambda plan: plan.state is PlanState.STAGED)
        await upgrade(state)
        await until_active(state, 1, second)
    (site.options.state / "boot/0002/layers/001.oci-images-second.sqsh").write_bytes(b"hsqs, once")

    async with site.node() as state:
        boot = await until(state, BootStatus, "boot", lambda boot: boot.spec.image != "")
        assert boot.spec.image == "0001"
        assert "is not what was installed" in boot.spec.fallback


async def test_a_rollback_boots_the_image_before(site: Site) -> None:
    first, second = site.add_good_image("first"), site.add_good_image("second")
    site.write_config(first)
    async with site.node() as state:
        await until_active(state, 0, first)
        site.write_config(second)
        await until_planned(state, 0, second, lambda plan: plan.state is PlanState.STAGED)
        await upgrade(state)
        await until_active(state, 0, second)

        answer = await upgrade(state, "back", rollback=True)

        assert answer.outcome == "rolled back from 0002 to 0001"
        boot = await until(state, BootStatus, "boot", lambda boot: boot.spec.image == "0001")
        assert (Path(boot.spec.root) / "usr/local/bin/first").exists()


async def test_a_rollback_without_an_image_before_is_refused(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)
    async with site.node() as state:
        await until_active(state, 0, image)

        answer = await upgrade(state, rollback=True)

        assert not answer.upgraded
        assert answer.outcome == "rollback refused, nothing was changed: there is no other image to boot"


async def test_files_that_two_extensions_bring_are_told(site: Site) -> None:
    first = site.add_image("first", archives.file("rootfs/usr/local/both"))
    second = site.add_image("second", archives.file("rootfs/usr/local/both"))
    site.write_config(first, second)
    async with site.node() as state:
        await until_active(state, 1, second)

        image = await state.get(BootImage, boot_image.ID)

        assert image.spec.warnings == (
            "/usr/local/both: also in 001.oci-images-second; the node sees that of 000.oci-images-first",
        )


async def test_an_image_that_the_trust_policy_refuses_is_named_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    policy = parse_policy(b"default: refuse\nrules: []\n", source="policy.yaml")
    site = Site(tmp_path)
    site.options = msgspec.structs.replace(site.options, trust=policy)
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        plan = await until_planned(state, 0, image, lambda plan: plan.state is PlanState.FAILED)

    assert "refused by the trust policy" in plan.message
    assert "no rule is for" in plan.message
    assert not [blob for blob in _blobs(site) if not blob.read_bytes().startswith(b"{")]


async def test_removing_an_extension_leaves_nothing_of_it_in_the_store(site: Site) -> None:
    kept, removed = site.add_good_image("kept"), site.add_good_image("removed")
    site.write_config(kept, removed)

    async with site.node() as state:
        await until_active(state, 1, removed)
        blobs = _blobs(site)
        site.write_config(kept)
        for resource in (ExtensionManifest, ExtensionImage, ExtensionSpec):
            await until_gone(state, resource, extension_id(1, removed))

    assert len(_blobs(site)) < len(blobs)
    assert _blobs(site)


async def test_what_a_node_that_was_killed_left_in_the_store_goes_when_the_next_has_all_it_needs(site: Site) -> None:
    kept, removed = site.add_good_image("kept"), site.add_good_image("removed")
    site.write_config(kept, removed)
    async with site.node() as state:
        await until_active(state, 1, removed)
    site.write_config(kept)
    partial = site.options.state / "blobs/partial" / f"sha256-{'0' * 64}"
    partial.write_bytes(b"the beginning of what nobody wants")
    before = _blobs(site)

    async with site.node() as state:
        await until_planned(state, 0, kept, lambda plan: plan.state is PlanState.ACTIVE)

    assert not partial.exists()
    assert len([blob for blob in before if not blob.exists()]) == 3, "the manifest and the layer of the other, and it"


async def test_a_damaged_image_in_the_store_keeps_no_other_from_being_fetched(site: Site) -> None:
    damaged, other = site.add_good_image("damaged"), site.add_good_image("other")
    site.write_config(damaged)
    async with site.node() as state:
        await until_active(state, 0, damaged)
        for blob in _blobs(site):
            blob.unlink()
        site.write_config(damaged, other)

        await until_planned(state, 1, other, lambda plan: plan.state is PlanState.STAGED)


async def test_a_line_taken_out_and_put_back_comes_back(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        await state.add_finalizers(ExtensionImage.pointer_to(extension_id(0, image)), "a slow reader")
        site.write_config()
        await until(state, ExtensionSpec, extension_id(0, image), lambda spec: spec.metadata.tearing_down)
        site.write_config(image)
        await state.remove_finalizers(ExtensionImage.pointer_to(extension_id(0, image)), "a slow reader")

        await until(state, ExtensionManifest, extension_id(0, image), lambda item: not item.metadata.tearing_down)
        await until_planned(state, 0, image, lambda plan: plan.state is PlanState.ACTIVE)


async def test_a_restart_boots_what_was_installed_without_its_source(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)
    async with site.node() as state:
        await until_active(state, 0, image)
    shutil.rmtree(site.layout)

    async with site.node() as state:
        status = await until_active(state, 0, image)
        plan = await until_planned(state, 0, image, lambda plan: plan.state is PlanState.FAILED)

    assert status.spec.metadata.name == "sample"
    assert plan.running


async def test_an_upgrade_with_no_change_is_fine(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        answer = await upgrade(state)

    assert answer.upgraded
    assert answer.outcome == "upgraded: nothing had changed"


async def test_an_upgrade_is_refused_while_an_extension_is_not_valid(site: Site) -> None:
    good = site.add_good_image()
    bad = site.add_image("bad", archives.file("rootfs/boot/vmlinuz"))
    site.write_config(good)

    async with site.node() as state:
        await until_active(state, 0, good)
        site.write_config(good, bad)
        await until_planned(state, 1, bad, lambda plan: plan.state is PlanState.FAILED)
        answer = await upgrade(state)

        assert not answer.upgraded
        assert answer.outcome.startswith("upgrade refused, nothing was changed: 001.oci-images-bad: path-not-allowed")
        assert await active(state) == ["000.oci-images-good"]


async def test_a_broken_config_keeps_the_last_good_one_and_says_why(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        good = site.config.read_bytes()
        site.config.write_text("version: v1alpha1\nmachine: {install: {extensions: [{imgae: x}]}}\n")
        status = await until(state, ConfigStatus, config_status.ID, lambda status: not status.spec.valid)

        assert status.spec.in_force == "the last good config"
        assert [fault.path for fault in status.spec.faults] == ["machine.install.extensions[0].imgae"]
        assert "unknown field" in status.spec.problem
        assert (await state.get(MachineConfig, machine_config.ID)).spec.yaml_marshalled == good
        assert await state.list(ExtensionSpec)

        site.write_config(image, site.add_good_image("more"))
        await until(state, ConfigStatus, config_status.ID, lambda status: status.spec.valid)
        await until_planned(state, 1, "oci:images:more", lambda plan: plan.state is PlanState.STAGED)


async def test_a_node_that_starts_on_a_broken_config_follows_the_last_good_one(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)
    async with site.node() as state:
        await until_active(state, 0, image)
    good = site.config.read_bytes()
    site.config.write_bytes(b"\xff\xfe not yaml: [")

    async with site.node() as state:
        status = await until(state, ConfigStatus, config_status.ID, lambda status: not status.spec.valid)
        config = await until(state, MachineConfig, machine_config.ID, lambda _: True)
        await until_planned(state, 0, image, lambda plan: plan.state is PlanState.ACTIVE)

    assert status.spec.problem
    assert config.spec.yaml_marshalled == good


async def test_what_the_node_keeps_is_for_its_user_alone(site: Site) -> None:
    image = site.add_good_image()
    site.write_config(image)

    async with site.node() as state:
        await until_active(state, 0, image)
        modes = {
            path.name: path.stat().st_mode & 0o777
            for path in (site.options.state, site.options.state / "config.yaml", *_blobs(site))
        }
        socket_mode = Path(str(site.options.addresses[0])).stat().st_mode & 0o777

    assert modes.pop("state") == 0o700
    assert set(modes.values()) == {0o600}
    assert socket_mode == 0o600


def _blobs(site: Site) -> list[Path]:
    root = site.options.state / "blobs"
    return [Path(directory) / name for directory, _, names in os.walk(root) for name in names]
