"""`cosi get` asks nodes on the network what talosctl asks them, in its order, and shows what it shows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from cosi._pb.v1alpha1 import state_pb2
from cosi.cli.network import endpoint
from tests.cosi.cli.nodes import TALOS, Site, get, nobody, problems, serving

TABLE = (
    "NODE   NAMESPACE   TYPE   ID    VERSION   PATH\n"
    "a      default     Path   one   1         one\n"
    "a      default     Path   two   1         two\n"
)
NETWORK_ONLY = ("ssl", "msgspec", "yaml", "cryptography", "random", "hashlib", "cosi.cli.network", "cosi.rpc.tls")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(tmp_path) as site:
        yield site


def test_every_call_names_its_node_and_the_version_is_asked_for_first(site: Site) -> None:
    result = get("paths", "--talosconfig", site.login(), "-n", "a,b", "-n", "c")

    def to(node: str) -> Sequence[tuple[str, str]]:
        return [("node", node), TALOS]

    assert result.exit_code == 0
    assert site.node.asked == [
        *(("Version", to(node)) for node in "abc"),
        ("List", to("a")),  # the resource definitions
        *(("List", to(node)) for node in "abc"),
    ]


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        ([], state_pb2.ListRequest(options=state_pb2.ListOptions())),
        (["one"], state_pb2.GetRequest(id="one", options=state_pb2.GetOptions())),
        (["-w"], state_pb2.WatchRequest(options=state_pb2.WatchOptions(bootstrap_contents=True), api_version=1)),
        (["one", "-w"], state_pb2.WatchRequest(id="one", options=state_pb2.WatchOptions(), api_version=1)),
    ],
)
def test_requests_are_talosctl_s(
    site: Site,
    arguments: list[str],
    request_: state_pb2.ListRequest | state_pb2.GetRequest | state_pb2.WatchRequest,
) -> None:
    site.node.refused = {("a", "Watch"): "seen enough"}
    request_.namespace, request_.type = "default", "Paths.test.cosi.dev"
    definitions = state_pb2.ListRequest(
        namespace="meta", type="ResourceDefinitions.meta.cosi.dev", options=state_pb2.ListOptions()
    )

    get("paths", *arguments, "--talosconfig", site.login())

    assert site.node.requests == [b"", definitions.SerializeToString(), request_.SerializeToString()]


@pytest.mark.parametrize("where", ["option", "login"])
def test_a_proxy_is_told_the_cluster(site: Site, where: str) -> None:
    if where == "option":
        get("paths", "one", "--talosconfig", site.login(cluster="south"), "-c", "north")
    else:
        get("paths", "one", "--talosconfig", site.login(cluster="north"))

    expected = [("node", "a"), TALOS, ("context", "north")]
    assert site.node.asked == [(method, expected) for method in ("Version", "List", "Get")]


def test_the_nodes_of_the_login_are_asked_unless_others_are_told(site: Site) -> None:
    assert get("paths", "--talosconfig", site.login()).stdout == TABLE
    assert get("paths", environment={"TALOSCONFIG": site.login(), "COSI_SOCKET": None}).stdout == TABLE


def test_nodes_share_one_table(site: Site) -> None:
    result = get("paths", "one", "--talosconfig", site.login(nodes=["a", "172.20.0.2"]))

    assert result.stdout == (
        "NODE         NAMESPACE   TYPE   ID    VERSION   PATH\n"
        "a            default     Path   one   1         one\n"
        "172.20.0.2   default     Path   one   1         one\n"
    )


def test_nodes_are_documents_after_one_another(site: Site) -> None:
    login = site.login(nodes=["a", "b"])

    shown = get("paths", "one", "--talosconfig", login, "-o", "yaml").stdout
    names = get("paths", "--talosconfig", login, "-o", "jsonpath={.node} {.spec.path}").stdout
    objects = get("paths", "one", "--talosconfig", login, "-o", "json").stdout

    first, second = shown.split("---\n")
    assert first.startswith("node: a\nmetadata:\n    namespace: default\n")
    assert second == first.replace("node: a", "node: b")
    assert names == "a\n \none\na\n \ntwo\nb\n \none\nb\n \ntwo\n"
    assert objects.count("\n}\n{\n") == 1


def test_a_node_that_fails_does_not_hide_what_others_have(site: Site) -> None:
    site.node.refused = {("b", "List"): "no time", ("c", "List"): "gone"}

    result = get("paths", "--talosconfig", site.login(nodes=["a", "b", "c"]))

    assert result.stdout == TABLE
    assert problems(result) == [
        "error listing resources on node b: no time",
        "error listing resources on node c: gone",
    ]


def test_a_resource_that_cannot_be_printed_does_not_hide_others(site: Site) -> None:
    result = get("paths", "--talosconfig", site.login(), "-o", "jsonpath={.spec.path}{.metadata.labels}")

    assert result.stdout == ""
    assert problems(result) == ["error finding result for jsonpath: labels is not found"] * 2


def test_one_resource_that_is_missing_is_missed_on_each_node(site: Site) -> None:
    result = get("paths", "none", "--talosconfig", site.login(nodes=["a", "b"]))

    assert result.stdout == "NODE   NAMESPACE   TYPE   ID   VERSION   PATH\n"
    assert problems(result) == [
        f"error getting resource on node {node}: resource Paths.test.cosi.dev(default/none@undefined) doesn't exist"
        for node in "ab"
    ]


def test_without_the_version_of_every_node_nothing_is_shown(site: Site) -> None:
    site.node.refused = {("b", "Version"): "who is b?"}

    result = get("paths", "--talosconfig", site.login(nodes=["a", "b"]))

    assert result.stdout == ""
    assert problems(result) == ["b: error getting server version: who is b?"]


def test_an_endpoint_that_does_not_answer_is_passed_over(site: Site) -> None:
    with nobody() as silent:
        one_of_two = get("paths", "--talosconfig", site.login(), "-e", f"{silent},{site.endpoint}")
        none = get("paths", "--talosconfig", site.login(), "-e", silent, "-e", silent)

    assert one_of_two.stdout == TABLE
    why = f"nobody listens on {silent}: is the node running? Start it, or give the address of one that runs"
    assert problems(none) == [why, why]


def test_a_watch_that_one_node_does_not_set_up_is_none(site: Site) -> None:
    site.node.refused = {("c", "Watch"): "no watch"}

    result = get("paths", "--talosconfig", site.login(nodes=["a", "c"]), "-w")

    assert result.stdout == "NODE   *   NAMESPACE   TYPE   ID   VERSION   PATH\n"
    assert problems(result) == ["error setting up watch on node c: no watch"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-i"], "nodes are not set for the command: please use `--nodes` flag or configuration file to set the"),
        (["-i", "-n", "a/b"], "'a/b' is not an address: write HOST or HOST:PORT"),
        (["-i", "-n", "a", "--cert-fingerprint", "x"], "'x' is no fingerprint of a certificate"),
        (["-n", "a", "--talosconfig", "/nowhere"], "/nowhere: there is no such file"),
        (["-n", "a", "-s", "/run/s"], "--server is on this machine: leave it out, or the options for the network"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], message: str) -> None:
    result = get("paths", *arguments)

    assert result.exit_code != 0
    assert message in result.stderr


def test_a_login_without_nodes_or_endpoints_asks_for_them(site: Site) -> None:
    (no_nodes,) = problems(get("paths", "--talosconfig", site.login(nodes=[])))
    (no_endpoints,) = problems(get("paths", "--talosconfig", site.login(endpoints=[])))

    assert no_nodes.startswith("nodes are not set for the command: please use `--nodes` flag")
    assert no_endpoints.startswith("failed to determine endpoints: use --endpoints")


def test_a_server_of_this_machine_that_is_named_goes_before_the_environment(site: Site, tmp_path: Path) -> None:
    here = str(tmp_path / "nobody.sock")

    by_option = get("paths", "-s", here, environment={"TALOSCONFIG": site.login(), "COSI_SOCKET": None})
    by_variable = get("paths", environment={"TALOSCONFIG": site.login(), "COSI_SOCKET": here})

    assert all(f"there is no socket {here}" in problems(result)[0] for result in (by_option, by_variable))


def test_on_this_machine_nothing_of_the_network_is_loaded(tmp_path: Path) -> None:
    program = (
        "import sys; from cosi.cli.main import cli; from contextlib import suppress\n"
        "import click\n"
        f"with suppress(click.ClickException): cli(['get', 'rd', '-s', '{tmp_path}/none'], standalone_mode=False)\n"
        f"print([name for name in {NETWORK_ONLY} if name in sys.modules])"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("172.20.0.2", "172.20.0.2:50000"),
        ("fd00::1", "[fd00::1]:50000"),
        ("https://node.example", "node.example:443"),
        ("https://node.example:8443/path", "node.example:8443"),
        ("grpc://node.example", "node.example:50000"),
    ],
)
def test_an_endpoint_is_a_host_or_a_url(text: str, target: str) -> None:
    assert endpoint(text).target == target
