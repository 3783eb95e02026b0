"""`-o table` is talosctl's, in a list and in a watch."""

import io

import pytest

from cosi.cli.output import Definition, OutputError, writer_for
from tests.cosi.cli.output.samples import EXTENSION_STATUS, GVISOR, NODE, printed

UCODE = GVISOR._replace(
    id="001.ghcr.io-talos-systems-intel-ucode-54b831d",
    version="2",
    yaml_spec="metadata: {name: intel-ucode, version: microcode-20210608-v1.0.0}\n",
)


def with_column(path: str) -> Definition:
    """A definition with one column."""
    return EXTENSION_STATUS._replace(columns=(("Found", path),))


def cell(path: str, yaml_spec: str) -> str:
    """Return what a column shows of a spec."""
    text = printed("table", (GVISOR._replace(yaml_spec=yaml_spec), "created"), definition=with_column(path))
    return text.splitlines()[1].partition("54b831d   1")[2].strip()


def test_a_list_is_aligned_and_the_last_column_is_not_padded() -> None:
    assert printed("table", (GVISOR, "created"), (UCODE, "created")) == (
        "NODE         NAMESPACE   TYPE              ID                                              VERSION   NAME          VERSION\n"  # noqa: E501
        "172.20.0.2   runtime     ExtensionStatus   000.ghcr.io-talos-systems-gvisor-54b831d        1         gvisor        20220117.0-v1.0.0\n"  # noqa: E501
        "172.20.0.2   runtime     ExtensionStatus   001.ghcr.io-talos-systems-intel-ucode-54b831d   2         intel-ucode   microcode-20210608-v1.0.0\n"  # noqa: E501
    )


def test_a_watch_marks_what_happened_and_leaves_out_events_about_no_resource() -> None:
    record = GVISOR._replace(id="a")

    text = printed(
        "table",
        (record, "created"),
        (record, "bootstrapped"),
        (record, "updated"),
        (record, "noop"),
        (record, "errored"),
        (record._replace(yaml_spec=""), "destroyed"),
        with_events=True,
    )

    assert text == (
        "NODE         *   NAMESPACE   TYPE              ID   VERSION   NAME     VERSION\n"
        "172.20.0.2   +   runtime     ExtensionStatus   a    1         gvisor   20220117.0-v1.0.0\n"
        "172.20.0.2       runtime     ExtensionStatus   a    1         gvisor   20220117.0-v1.0.0\n"
        "172.20.0.2   -   runtime     ExtensionStatus   a    1                  \n"
    )


def test_what_follows_a_flush_finds_its_own_widths() -> None:
    stream = io.StringIO()
    table = writer_for("table", stream)
    table.header(Definition("T", "T", ()), with_events=False)
    table.flush()

    table.resource(NODE, GVISOR._replace(id="x"), "created")
    table.flush()

    assert stream.getvalue() == "NODE   NAMESPACE   TYPE   ID   VERSION\n172.20.0.2   runtime   T   x   1\n"


@pytest.mark.parametrize(
    ("path", "yaml_spec", "shown"),
    [
        ("{.aliases[:]}", "aliases: [one, two]", "one two"),
        ("{.aliases}", "aliases: [one, two]", '["one","two"]'),
        ("{.nested}", "nested: {b: 1, a: <x>}", '{"a":"\\u003cx\\u003e","b":1}'),
        ("{.missing}", "a: 1", ""),
        ("{.missing.deeper[0]}", "a: 1", ""),
        ("{.a}", "a: null", "null"),
        ("{.a}", "a: 1000000.0", "1e+06"),
        ("{.a}", "a: yes", "yes"),
        ("{.a}", "a: 2022-02-10", '"2022-02-10T00:00:00Z"'),
        ("{.a}/{.b}", "{a: 1, b: true}", "1/true"),
        ("{.a}", "just text", ""),
    ],
)
def test_a_column_shows_what_its_path_finds(path: str, yaml_spec: str, shown: str) -> None:
    assert cell(path, yaml_spec) == shown


def test_a_malformed_column_names_itself() -> None:
    with pytest.raises(OutputError) as refusal:
        printed("table", definition=with_column("{.a"))

    assert str(refusal.value) == 'error parsing column "Found" jsonpath: unclosed action'
