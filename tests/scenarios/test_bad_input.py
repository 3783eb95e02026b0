"""Whatever is wrong with one extension shows in its plan, the others go through, and the node stays up."""

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resources import config_status
from resources.config_status import ConfigStatus
from resources.extension_image import ExtensionImage
from resources.extension_manifest import ExtensionManifest
from resources.extension_plan import PlanState
from talos.extensions.reference import extension_id
from tests.scenarios import broken_images
from tests.scenarios.node import Site, until, until_active, until_planned
from tests.talos.extensions import archives

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def missing_tag(site: Site) -> str:
    return "oci:images:missing"


def missing_layout(site: Site) -> str:
    return "oci:nowhere:v1"


def changed_blob(site: Site) -> str:
    descriptor = archives.image(site.layout, "bad", [archives.extension(archives.file("rootfs/usr/local/a"))])
    layer = json.loads(_blob(site, descriptor.digest).read_bytes())["layers"][0]
    content = bytearray(_blob(site, layer["digest"]).read_bytes())
    content[-1] ^= 1
    _blob(site, layer["digest"]).write_bytes(content)
    return "oci:images:bad"


def truncated_layer(site: Site) -> str:
    whole = gzip.compress(archives.extension(archives.file("rootfs/usr/local/a", b"x" * 4096)), mtime=0)
    broken_images.image_of_blobs(site.layout, "bad", [whole[: len(whole) // 2]])
    return "oci:images:bad"


def layer_that_is_no_archive(site: Site) -> str:
    broken_images.image_of_blobs(site.layout, "bad", [gzip.compress(b"not a tar archive" * 100, mtime=0)])
    return "oci:images:bad"


def absolute_path(site: Site) -> str:
    return site.add_image("bad", archives.file("/etc/passwd"))


def climbing_path(site: Site) -> str:
    return site.add_image("bad", archives.file("rootfs/../../etc/passwd"))


def climbing_link(site: Site) -> str:
    return site.add_image("bad", archives.symlink("rootfs/usr/local/out", "../../../../etc"))


def device_node(site: Site) -> str:
    return site.add_image("bad", archives.device("rootfs/usr/local/null"))


def no_manifest(site: Site) -> str:
    content = archives.archive(archives.directory("rootfs"), archives.file("rootfs/usr/local/a"))
    archives.image(site.layout, "bad", [content])
    return "oci:images:bad"


def malformed_manifest(site: Site) -> str:
    content = archives.archive(archives.file("manifest.yaml", b"version: [v1alpha1"), archives.directory("rootfs"))
    archives.image(site.layout, "bad", [content])
    return "oci:images:bad"


def forbidden_path(site: Site) -> str:
    return site.add_image("bad", archives.file("rootfs/boot/vmlinuz"))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (missing_tag, "missing"),
        (missing_layout, "nowhere"),
        (changed_blob, "sha256:"),
        (truncated_layer, "layer"),
        (layer_that_is_no_archive, "layer"),
        (absolute_path, "/etc/passwd"),
        (climbing_path, "../../etc/passwd"),
        (climbing_link, "usr/local/out"),
        (device_node, "usr/local/null"),
        (no_manifest, "manifest.yaml"),
        (malformed_manifest, "manifest.yaml"),
        (forbidden_path, "/boot/vmlinuz"),
    ],
)
async def test_a_bad_extension_is_named_with_its_reason_and_the_others_go_through(
    site: Site, make: Callable[[Site], str], expected: str
) -> None:
    good = site.add_good_image()
    bad = make(site)
    site.write_config(bad, good)

    async with site.node() as state:
        await until_active(state, 1, good)
        plan = await until_planned(state, 0, bad, lambda plan: plan.state is PlanState.FAILED)

    assert expected in plan.message


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


def _blob(site: Site, digest: str) -> Path:
    return site.layout / "blobs" / digest.replace(":", "/")
