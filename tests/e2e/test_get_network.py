"""`cosi get` over the network, with the login that the node wrote: the same bytes, for those who may see them."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosi.cli import login as logins
from resources.config_status import ConfigStatus
from tests.e2e.conftest import wait_for
from tests.e2e.printed import FORMS, expected, shown
from tests.e2e.programs import PATIENCE_SECONDS, Node, machined_run, watching


def administrator(node: Node) -> str:
    """Return where the login lies that the node wrote."""
    return str(node.directory / "talosconfig")


def endpoint(node: Node) -> str:
    (only,) = logins.read(administrator(node)).endpoints
    return only


def login(node: Node, role: str) -> str:
    """Make a login in a role; return where it lies."""
    output = str(node.directory / role)
    made = node.machined(
        "talosconfig", "--state", str(node.directory / "state"), "--endpoint", endpoint(node), "--role", role,
        "--output", output,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return output


@pytest.mark.parametrize(("arguments", "file"), FORMS)
def test_what_is_printed_is_what_is_expected(node: Node, arguments: list[str], file: str) -> None:
    assert shown(node, *arguments, "--talosconfig", administrator(node), "--nodes", "localhost") == expected(file)


def test_several_nodes_come_in_the_order_in_which_they_were_told(node: Node) -> None:
    both = ("--talosconfig", administrator(node), "-n", "localhost,127.0.0.1")
    table, documents = expected("extensions.txt"), expected("extensions.yaml")
    header, *rows = table.splitlines(keepends=True)

    # Both names are of one width, so the columns stay where they are.
    assert shown(node, "extensions", *both) == header + "".join(
        row.replace("localhost", name, 1) for name in ("localhost", "127.0.0.1") for row in rows
    )
    assert shown(node, "extensions", "-o", "yaml", *both) == documents + "---\n" + documents.replace(
        "node: localhost", "node: 127.0.0.1"
    )


def test_the_nodes_of_the_login_are_the_default(node: Node) -> None:
    lines = shown(node, "extensions", "--talosconfig", administrator(node)).splitlines()

    assert [line.split()[0] for line in lines] == ["NODE", "127.0.0.1", "127.0.0.1"]


def test_a_reader_sees_what_is_not_sensitive(node: Node) -> None:
    reader = login(node, "os:reader")

    allowed = node.cosi("get", "extensions", "--talosconfig", reader)
    refused = node.cosi("get", "machineconfig", "--talosconfig", reader)

    assert (allowed.returncode, len(allowed.stdout.splitlines())) == (0, 3)
    assert (refused.returncode, refused.stdout) == (1, "NODE   NAMESPACE   TYPE   ID   VERSION\n")
    assert refused.stderr == "cosi: error listing resources on node 127.0.0.1: not authorized\n"


def test_who_has_no_role_learns_not_even_the_version(node: Node) -> None:
    result = node.cosi("get", "extensions", "--talosconfig", login(node, "os:gardener"), "-n", "127.0.0.1,localhost")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "cosi: 127.0.0.1: error getting server version: not authorized\n"
        "cosi: localhost: error getting server version: not authorized\n"
    )


def test_a_context_that_is_not_there_is_named(node: Node) -> None:
    result = node.cosi("get", "extensions", "--talosconfig", administrator(node), "--context", "elsewhere")

    assert result.returncode == 1
    assert result.stderr.startswith(f'cosi: {administrator(node)}: context "elsewhere" not found in config; there are ')


def test_a_node_with_a_config_lets_nobody_in_without_a_login(node: Node) -> None:
    result = node.cosi("get", "extensions", "--insecure", "--nodes", endpoint(node))

    assert (result.returncode, result.stdout) == (1, "")
    assert "it does not let this login in (tlsv13 alert certificate required)" in result.stderr


class TestWatching:
    @pytest.fixture
    def node(self, tmp_path: Path) -> Iterator[Node]:
        config = tmp_path / "machine.yaml"
        config.write_text("version: v1alpha1\n")
        login = tmp_path / "talosconfig"
        with machined_run(tmp_path, config, "--listen", "127.0.0.1:0", "--talosconfig", str(login)) as running:
            wait_for(running, ConfigStatus, "machine")
            yield running

    def test_events_of_several_nodes_interleave_until_ctrl_c(self, node: Node) -> None:
        both = ("--talosconfig", administrator(node), "-n", "127.0.0.1,localhost")

        with watching(node, "configstatus", *both) as watch:
            assert watch.stdout is not None
            header, *there = [watch.stdout.readline().split() for _ in range(3)]
            broken = node.directory / "broken.yaml"
            broken.write_text("version: v1alpha1\nmachine: nonsense\n")
            broken.rename(node.directory / "machine.yaml")
            then = [watch.stdout.readline().split() for _ in range(2)]
            watch.send_signal(signal.SIGINT)
            rest, noise = watch.communicate(timeout=PATIENCE_SECONDS)

        assert header[:3] == ["NODE", "*", "NAMESPACE"]
        assert sorted(line[:4] for line in there) == [
            [name, "+", "config", "ConfigStatus"] for name in ("127.0.0.1", "localhost")
        ]
        assert sorted(line[:5] for line in then) == [
            [name, "config", "ConfigStatus", "machine", "2"] for name in ("127.0.0.1", "localhost")
        ]
        assert (watch.returncode, rest, noise.strip()) == (0, "", "")

    def test_a_node_that_stops_ends_the_watch(self, node: Node) -> None:
        with watching(node, "configstatus", "--talosconfig", administrator(node)) as watch:
            assert watch.stdout is not None
            for _ in range(2):
                watch.stdout.readline()
            node.stop()
            _, noise = watch.communicate(timeout=PATIENCE_SECONDS)

        assert watch.returncode == 1
        assert noise.startswith('cosi: error watching resource: namespace "config" type "ConfigStatuses.')
