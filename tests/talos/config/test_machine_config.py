"""A machine config gives its extensions in order, or tells all that is wrong with it."""

from pathlib import Path

import pytest

from talos.config.extensions import MAX_EXTENSIONS
from talos.config.faults import ConfigError, ConfigFault
from talos.config.machine_config import MAX_CONFIG_BYTES, parse
from tests.talos.config.refused import faults_of

EXAMPLE = Path(__file__).parents[3] / "examples" / "machine.yaml"
HEAD = "version: v1alpha1\nmachine:\n  install:\n    extensions:\n"


def test_the_images_come_in_order_and_the_text_stays_as_it_was() -> None:
    text = b"# kept\nversion: v1alpha1\nmachine: {install: {extensions: [{image: b:1}, {image: a:1}]}}\n"

    config = parse(text, source="x")

    assert (config.raw, config.extensions) == (text, ("b:1", "a:1"))


def test_the_example_is_good() -> None:
    config = parse(EXAMPLE.read_bytes(), source=str(EXAMPLE))

    assert config.extensions == (
        "oci:images:gvisor-20220117.0-v1.0.0",
        "oci:images:intel-ucode-microcode-20210608-v1.0.0",
        "oci:images:hello-v1.0.0",
    )


@pytest.mark.parametrize(
    "text",
    [
        "version: v1alpha1\n",
        "version: v1alpha1\nmachine:\n",
        "version: v1alpha1\nmachine: {install: {}}\n",
        "version: v1alpha1\nmachine: {install: {extensions: []}}\n",
        "version: v1alpha1\nmachine: {install: {extensions: null}}\n",
    ],
)
def test_a_config_without_extensions_is_good(text: str) -> None:
    assert parse(text.encode(), source="x").extensions == ()


def test_other_documents_and_unknown_fields_pass_untouched() -> None:
    text = b"""\
apiVersion: v1alpha1
kind: VolumeConfig
name: EPHEMERAL
whatever: [1]
---
version: v1alpha1
machine:
  sysctls: {a: 1}
  install: {disk: /dev/sda, extensions: [{image: "a:1"}]}
cluster: {secret: x}
---
apiVersion: v1alpha1
kind: LinkConfig
"""

    assert parse(text, source="x").extensions == ("a:1",)


@pytest.mark.parametrize(
    ("text", "line", "path", "problem"),
    [
        ("", 1, "", "no machine config"),
        ("---\n---\n", 1, "", "no machine config"),
        ("- a\n", 1, "", "not a mapping"),
        ("just text", 1, "", "not a mapping"),
        ("a: [", 1, "", "not YAML"),
        ("version: v1alpha1\nversion: v1alpha1\n", 2, "version", "given twice"),
        ("machine: {}\n", 1, "version", "missing"),
        ("version: v2\n", 1, "version", '"v2" is not a known version'),
        ("version: v1alpha1\n---\nversion: v1alpha1\n", 3, "", "second machine config"),
        ("version: v1alpha1\n---\nkind: X\n", 3, "apiVersion", "missing beside kind"),
        ("version: v1alpha1\nmachine: [1]\n", 2, "machine", "this is a list, not a mapping"),
        ("version: v1alpha1\nmachine: {install: {extensions: {image: a}}}\n", 2, "machine.install.extensions", "a map"),
        (HEAD + "      - a:1\n", 5, "machine.install.extensions[0]", "this is a single value, not a mapping"),
        (HEAD + "      - image:\n", 5, "machine.install.extensions[0].image", "empty"),
        (HEAD + "      - image: ' '\n", 5, "machine.install.extensions[0].image", "empty"),
        (HEAD + "      - {}\n", 5, "machine.install.extensions[0].image", "missing"),
        (HEAD + "      - image: [a]\n", 5, "machine.install.extensions[0].image", "this is a list"),
        (HEAD + "      - image: UPPER\n", 5, "machine.install.extensions[0].image", "no repository name"),
        (HEAD + "      - image: a\n        x: 1\n", 6, "machine.install.extensions[0].x", "unknown field"),
    ],
)
def test_each_mistake_is_named_with_its_line_and_its_field(text: str, line: int, path: str, problem: str) -> None:
    (fault,) = faults_of(text)

    assert (fault.line, fault.path) == (line, path)
    assert problem in fault.problem


def test_a_misspelt_field_is_one_fault_with_the_right_spelling() -> None:
    (fault,) = faults_of(HEAD + "      - image: a\n      - imgae: b\n")

    assert fault == ConfigFault(6, "machine.install.extensions[1].imgae", "unknown field", "did you mean `image`?")


def test_an_image_twice_is_refused_and_the_first_one_is_named() -> None:
    (fault,) = faults_of(HEAD + "      - image: a:1\n      - image: b:1\n      - image: a:1\n")

    assert fault.problem == "a:1 is listed twice, first as machine.install.extensions[0]"
    assert fault.line == 7


def test_too_many_extensions_are_refused() -> None:
    (fault,) = faults_of(HEAD + "".join(f"      - image: a:{n}\n" for n in range(MAX_EXTENSIONS + 1)))

    assert fault.problem == f"{MAX_EXTENSIONS + 1} extensions, at most {MAX_EXTENSIONS} are allowed"


def test_a_text_that_is_too_long_is_not_read() -> None:
    (fault,) = faults_of(b"#" * (MAX_CONFIG_BYTES + 1))

    assert "bytes long" in fault.problem


def test_all_faults_come_together_and_the_message_is_one_line_about_the_first() -> None:
    text = HEAD + "      - imgae: a\n      - image: B\n      - image: ''\n"

    with pytest.raises(ConfigError) as caught:
        parse(text.encode(), source="machine.yaml")

    assert [fault.line for fault in caught.value.faults] == [5, 6, 7]
    assert str(caught.value) == (
        "machine.yaml: line 5: machine.install.extensions[0].imgae: unknown field; did you mean `image`?"
        " (and 2 more faults)"
    )
