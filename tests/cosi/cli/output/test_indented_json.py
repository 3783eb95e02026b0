"""`-o json` is talosctl's: the YAML of the resource, read back by Go, in Go's JSON."""

import pytest

from cosi.cli.output import OutputError
from tests.cosi.cli.output.samples import GVISOR, printed

GVISOR_JSON = """\
{
    "metadata": {
        "created": "2022-02-10T18:25:04Z",
        "id": "000.ghcr.io-talos-systems-gvisor-54b831d",
        "namespace": "runtime",
        "owner": "runtime.ExtensionStatusController",
        "phase": "running",
        "type": "ExtensionStatuses.runtime.talos.dev",
        "updated": "2022-02-10T18:25:04Z",
        "version": 1
    },
    "node": "172.20.0.2",
    "spec": {
        "image": "000.ghcr.io-talos-systems-gvisor-54b831d.sqsh",
        "metadata": {
            "author": "Andrew Rynhard",
            "compatibility": {
                "talos": {
                    "version": "\\u003e= v1.0.0"
                }
            },
            "description": "This system extension provides gVisor using containerd's runtime handler.\\n",
            "name": "gvisor",
            "version": "20220117.0-v1.0.0"
        }
    }
}
"""


def spec_of(yaml_spec: str) -> str:
    """Return the JSON of a spec."""
    text = printed("json", (GVISOR._replace(yaml_spec=yaml_spec), "created"))
    return text.partition('    "spec": ')[2].removesuffix("\n}\n")


def test_an_extension_status_prints_with_sorted_keys_and_its_version_as_a_number() -> None:
    assert printed("json", (GVISOR, "created")) == GVISOR_JSON


def test_objects_follow_one_another_and_name_their_event_when_watching() -> None:
    text = printed("json", (GVISOR, "created"), (GVISOR, "updated"), with_events=True)

    assert text == GVISOR_JSON.replace("{\n", '{\n    "event": "created",\n', 1) + GVISOR_JSON.replace(
        "{\n", '{\n    "event": "updated",\n', 1
    )


@pytest.mark.parametrize(
    ("yaml_spec", "json"),
    [
        ("", "null"),
        ("{}", "{}"),
        ("[]", "[]"),
        ("<a> & b", '"\\u003ca\\u003e \\u0026 b"'),
        ('"\\u2028\\u2029"', '"\\u2028\\u2029"'),
        ('"tab\\t bell\\a \\x7f quote\\" back\\\\"', '"tab\\t bell\\u0007 \x7f quote\\" back\\\\"'),
        ("1000000.5", "1000000.5"),
        ("1e20", "100000000000000000000"),
        ("1e21", "1e+21"),
        ("0.000001", "0.000001"),
        ("1e-7", "1e-7"),
        ("1.0", "1"),
        ("-0.0", "-0"),
        ("0x10", "16"),
        ("yes", '"yes"'),
        ("2022-02-10", '"2022-02-10T00:00:00Z"'),
        ("!!binary /wA=", '"\ufffd\\u0000"'),
    ],
)
def test_values_are_written_as_go_s_json_package_writes_them(yaml_spec: str, json: str) -> None:
    assert spec_of(yaml_spec) == json


def test_an_empty_owner_is_null_and_a_number_for_an_id_is_a_number() -> None:
    text = printed("json", (GVISOR._replace(owner="", id="0123"), "created"))

    assert '"owner": null' in text
    assert '"id": 83' in text


@pytest.mark.parametrize(
    ("yaml_spec", "message"),
    [
        ("a: {1: x}", "cannot print .spec.a as JSON: its key 1 is not a string"),
        ("a: [.nan]", "cannot print .spec.a.0 as JSON: NaN is not a JSON number"),
        ("-.inf", "cannot print .spec as JSON: -Inf is not a JSON number"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place(yaml_spec: str, message: str) -> None:
    with pytest.raises(OutputError) as refusal:
        spec_of(yaml_spec)

    assert str(refusal.value) == message


def test_a_spec_with_a_key_twice_is_refused() -> None:
    with pytest.raises(OutputError, match=r"gvisor-54b831d\) cannot be printed: YAML line 2, column 1: the key 'a'"):
        spec_of("a: 1\na: 2\n")
