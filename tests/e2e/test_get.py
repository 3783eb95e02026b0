"""`cosi get` on the node's own machine: every form, byte for byte."""

import json
import signal

import pytest

from tests.e2e.printed import FORMS, expected, shown
from tests.e2e.programs import PATIENCE_SECONDS, Node, watching


@pytest.mark.parametrize(("arguments", "file"), FORMS)
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
    ("arguments", "table", "message"),
    [
        (
            ["nonsense"],
            "",
            'cosi: resource "nonsense" is not registered (`cosi get rd` lists all types and their aliases)\n',
        ),
        (
            ["extensions", "missing"],
            "NODE   NAMESPACE   TYPE   ID   VERSION   NAME   VERSION\n",
            "cosi: error getting resource on node localhost: "
            "resource ExtensionStatuses.runtime.talos.dev(runtime/missing@undefined) doesn't exist\n",
        ),
        (["extensions", "-o", "xml"], "", 'cosi: output format "xml" is not supported\n'),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_a_code(
    node: Node, arguments: list[str], table: str, message: str
) -> None:
    result = node.cosi("get", *arguments)

    assert (result.returncode, result.stdout, result.stderr) == (1, table, message)


def test_a_watch_ends_with_ctrl_c_and_no_traceback(node: Node) -> None:
    with watching(node, "extensions") as watch:
        assert watch.stdout is not None
        watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        _, noise = watch.communicate(timeout=PATIENCE_SECONDS)

    assert watch.returncode == 0
    assert noise.strip() == ""
