"""Whatever is wrong with one extension shows in its plan, the others go through, and the node stays up."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources import config_status
from resources.config_status import ConfigStatus
from resources.extension_image import ExtensionImage
from resources.extension_manifest import ExtensionManifest
from resources.extension_plan import PlanState
from talos.config.extensions import MAX_EXTENSIONS
from talos.extensions.reference import extension_id
from tests.scenarios.node import Site, until, until_active, until_planned
from tests.talos.extensions import archives
from tests.talos.extensions.corpus import CORPUS
from tests.talos.extensions.corpus.kind import TAG, as_promised

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize("first", range(0, len(CORPUS), MAX_EXTENSIONS - 1))
async def test_every_broken_image_is_named_with_its_reason_and_a_good_one_goes_through(site: Site, first: int) -> None:
    good = site.add_good_image()
    (site.layout.parent / "broken").mkdir()
    broken = list(CORPUS.values())[first : first + MAX_EXTENSIONS - 1]
    for kind in broken:
        kind.write(site.layout.parent / "broken" / kind.slug)
    references = [f"oci:broken/{kind.slug}:{TAG}" for kind in broken]
    site.write_config(good, *references)

    async with site.node() as state:
        await until_active(state, 0, good)
        for index, (kind, reference) in enumerate(zip(broken, references, strict=True), start=1):
            plan = await until_planned(state, index, reference, lambda plan: plan.state is PlanState.FAILED)
            layout = site.layout.parent / "broken" / kind.slug
            assert kind.problem in as_promised(plan.message, layout)


async def test_a_verdict_names_rule_path_and_remedy_of_every_fault(site: Site) -> None:
    bad = site.add_image(
        "bad", archives.file("rootfs/boot/vmlinuz"), archives.file("rootfs/usr/local/open", mode=0o666)
    )
    site.write_config(bad)

    async with site.node() as state:
        verdict = await until(state, ExtensionManifest, extension_id(0, bad), lambda item: bool(item.spec.faults))

    rules = {(fault.rule, fault.path) for fault in verdict.spec.faults}
    assert len(rules) == 2
    assert all(fault.problem and fault.remedy for fault in verdict.spec.faults)
    assert verdict.spec.problem.endswith("(and 1 more)")


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else gets while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_a_registry_that_does_not_answer_is_asked_again_and_holds_up_nobody(site: Site, closed_port: int) -> None:
    good = site.add_good_image()
    unreachable = f"127.0.0.1:{closed_port}/some/image:v1"
    site.write_config(unreachable, good)

    async with site.node() as state:
        await until_active(state, 1, good)
        image = await until(state, ExtensionImage, extension_id(0, unreachable), lambda item: item.spec.attempts >= 2)

        plan = await until_planned(state, 0, unreachable, lambda plan: plan.state is PlanState.FAILED)

    assert image.spec.problem
    assert f"127.0.0.1:{closed_port}" in plan.message


async def test_a_tag_that_comes_later_is_found_and_staged(site: Site) -> None:
    good = site.add_good_image()
    site.write_config(good, "oci:images:late")

    async with site.node() as state:
        await until_active(state, 0, good)
        await until_planned(state, 1, "oci:images:late", lambda plan: plan.state is PlanState.FAILED)
        site.add_good_image("late")
        plan = await until_planned(state, 1, "oci:images:late", lambda plan: plan.state is PlanState.STAGED)

    assert plan.wanted.startswith("sha256:")


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        (b"version: [v1alpha1\n", "", ""),
        (b"\x00\x01\x02", "", ""),
        (b"just words\n", "", "not a mapping"),
        (
            b"version: v1alpha1\nmachine: {install: {extensions: [{image: a/b:c, digest: x}]}}\n",
            "machine.install.extensions[0].digest",
            "",
        ),
    ],
)
async def test_a_config_that_cannot_be_followed_says_why(site: Site, text: bytes, path: str, problem: str) -> None:
    site.config.write_bytes(text)

    async with site.node() as state:
        status = await until(state, ConfigStatus, config_status.ID, lambda status: not status.spec.valid)

    assert status.spec.in_force == "nothing yet"
    assert status.spec.problem
    assert any(fault.path == path and problem in fault.problem and fault.remedy for fault in status.spec.faults)
