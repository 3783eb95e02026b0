"""`cosi get` against a node that took its extensions from a registry: every form, byte for byte.

The expected files hold what talosctl prints for the same resources. Times, digests and the registry's port differ from
run to run: `<time>`, `dd…` and `PPPPP` stand for them.
"""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.extension_status import ExtensionStatus
from talos.extensions.reference import extension_id
from tests.e2e.conftest import wait_for
from tests.e2e.programs import PATIENCE_SECONDS, Node, machined_run, watching, without_times
from tests.talos.registry_server import RegistryServer

EXPECTED = Path(__file__).parent / "expected"
HELLO = "hello-v1.0.0"
GVISOR = "gvisor-20220117.0-v1.0.0"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, images: Path, registry: RegistryServer) -> Iterator[Node]:
    """A node that runs gvisor, by tag, and hello, by digest."""
    directory = tmp_path_factory.mktemp("node")
    registry.push(images, GVISOR, "talos/gvisor", as_tag="20220117.0-v1.0.0")
    digest = registry.push(images, HELLO, "talos/hello", as_tag="v1.0.0")
    config = directory / "machine.yaml"
    config.write_text(
        "version: v1alpha1\nmachine:\n  install:\n    extensions:\n"
        f"      - image: {registry.host}/talos/gvisor:20220117.0-v1.0.0\n"
        f"      - image: {registry.host}/talos/hello@{digest}\n"
    )
    with machined_run(directory, config) as running:
        wait_for(running, ExtensionStatus, extension_id(1, f"{registry.host}/talos/hello@{digest}"))
        yield running


def shown(node: Node, *arguments: str) -> str:
    """What `cosi get` prints, with what differs from run to run made equal."""
    result = node.cosi("get", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    text = without_times(result.stdout)
    text = re.sub(r"(127\.0\.0\.1[-:])\d{5}", r"\1PPPPP", text)
    return re.sub(r"sha256([-:])[0-9a-f]{64}", r"sha256\g<1>" + "d" * 64, text)


def expected(name: str) -> str:
    return (EXPECTED / name).read_text()


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["extensions"], "extensions.txt"),
        (["extensions", "-o", "yaml"], "extensions.yaml"),
        (["extensions", "-o", "json"], "extensions.json"),
        (["rd"], "rd.txt"),
        (["machineconfig", "-o", "yaml"], "machineconfig.yaml"),
        (["plan", "-o", "jsonpath={.spec.state}"], "plan.txt"),
        (["extensions", "-o", "jsonpath={.spec.metadata.name}"], "names.txt"),
    ],
)
def test_what_is_printed_is_what_is_expected(node: Node, arguments: list[str], file: str) -> None:
    assert shown(node, *arguments) == expected(file)


@pytest.mark.parametrize(
    "word", ["extensions", "Extensions", "extensionstatus", "ES", "extensionstatuses.runtime.talos.dev"]
)
def test_a_type_is_found_by_its_id_or_any_alias_whatever_the_case(node: Node, word: str) -> None:
    assert shown(node, word) == expected("extensions.txt")


def test_one_extension_is_shown_by_its_id(node: Node) -> None:
    ids = [line.split()[3] for line in node.cosi("get", "extensions").stdout.splitlines()[1:]]

    lines = node.cosi("get", "extensions", ids[0]).stdout.splitlines()

    assert len(lines) == 2
    assert lines[1].split() == ["localhost", "runtime", "ExtensionStatus", ids[0], "1", "gvisor", "20220117.0-v1.0.0"]


def test_json_is_one_document_for_each_resource(node: Node) -> None:
    text = node.cosi("get", "extensions", "-o", "json").stdout

    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(text)
    second, _ = decoder.raw_decode(text[end:].lstrip())

    assert [first["spec"]["metadata"]["name"], second["spec"]["metadata"]["name"]] == ["gvisor", "hello"]


def test_a_watch_shows_what_there_is_then_every_event_on_a_line(node: Node) -> None:
    with watching(node, "extensions") as watch:
        assert watch.stdout is not None
        lines = [watch.stdout.readline() for _ in range(3)]

    assert lines[0].split() == ["NODE", "*", "NAMESPACE", "TYPE", "ID", "VERSION", "NAME", "VERSION"]
    assert [line.split()[1] for line in lines[1:]] == ["+", "+"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nonsense"],
            'cosi: resource "nonsense" is not registered (`cosi get rd` lists all types and their aliases)\n',
        ),
        (
            ["extensions", "missing"],
            "cosi: resource ExtensionStatuses.runtime.talos.dev(runtime/missing@undefined) doesn't exist\n",
        ),
        (["extensions", "-o", "xml"], 'cosi: output format "xml" is not supported\n'),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_a_code(node: Node, arguments: list[str], message: str) -> None:
    result = node.cosi("get", *arguments)

    assert (result.returncode, result.stdout, result.stderr) == (1, "", message)


def test_a_watch_ends_with_ctrl_c_and_no_traceback(node: Node) -> None:
    with watching(node, "extensions") as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        _, noise = watch.communicate(timeout=PATIENCE_SECONDS)

    assert watch.returncode == 0
    assert noise.strip() == ""
