"""A config is checked, patched and shown without a node."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from machined.main import cli

CONFIG = """\
version: v1alpha1
machine:
    token: hunter2-correct # secret
    certSANs:
        - a
---
apiVersion: v1alpha1
kind: VolumeConfig # theirs
name: EPHEMERAL
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands are typed, with a config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "machine.yaml").write_text(CONFIG)
    return tmp_path


def config(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(cli, ["config", *arguments], input=stdin)


def test_a_good_config_is_said_to_be_and_its_documents_are_listed() -> None:
    result = config("validate", "machine.yaml")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "machine.yaml: valid",
        "  line 1     v1alpha1",
        '  line 7     VolumeConfig["EPHEMERAL"]  (not known here, kept as it is)',
    ]


def test_a_kind_that_is_misspelt_is_pointed_out() -> None:
    result = config("validate", "-", stdin="version: v1alpha1\n---\napiVersion: v1alpha1\nkind: RegistryMirorConfig\n")

    assert result.stdout.endswith("(not known here, kept as it is; did you mean RegistryMirrorConfig?)\n")


def test_every_fault_of_a_bad_one_is_told() -> None:
    result = config("validate", "-", stdin="version: v1alpha1\nmachine: {tokn: a}\ndebug: 1\n")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: -: 2 faults\n"
        "  line 2: machine.tokn: unknown field; did you mean `token`?\n"
        "  line 3: debug: this is neither true nor false; write true or false\n"
    )


def test_patches_are_applied_in_order_and_what_they_leave_alone_stays(site: Path) -> None:
    (site / "patch.yaml").write_text("machine: {certSANs: [b]}\n")

    result = config("patch", "machine.yaml", "--patch", "@patch.yaml", "--patch", "debug: true")

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "version: v1alpha1\nmachine:\n    token: hunter2-correct\n    certSANs:\n        - a\n        - b\n"
        "debug: true\n" + CONFIG[CONFIG.index("---") :]
    )


def test_a_json_patch_is_taken_for_one() -> None:
    patch = '[{"op": "replace", "path": "/machine/certSANs/0", "value": "b"}]'

    result = config("patch", "-", "--patch", patch, stdin=CONFIG[: CONFIG.index("---")])

    assert "- b\n" in result.stdout


def test_the_patched_config_is_written_for_its_owner_alone(site: Path) -> None:
    result = config("patch", "machine.yaml", "--patch", "debug: true", "--output", "new.yaml")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert stat.S_IMODE(os.stat(site / "new.yaml").st_mode) == 0o600
    assert "debug: true\n" in (site / "new.yaml").read_text()


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ("machine: [1]", "patch 1: one fault\n  line 1: machine: this is a list, the config has a mapping here; "),
        ("a: [", "patch 1: one fault\n  line 1: not YAML"),
        ("debug: maybe", "the patched config: one fault\n  line 6: debug: this is neither true nor false; "),
        ("@none.yaml", "none.yaml"),
    ],
)
def test_a_patch_that_leads_nowhere_writes_nothing(site: Path, patch: str, told: str) -> None:
    result = config("patch", "machine.yaml", "--patch", patch, "--output", "new.yaml")

    assert result.exit_code == 1
    assert told in result.stderr + str(result.exception)
    assert not (site / "new.yaml").exists()


def test_a_config_is_shown_without_its_secrets() -> None:
    result = config("redact", "machine.yaml")

    assert result.stdout == (
        "version: v1alpha1\nmachine:\n    token: '******'\n    certSANs:\n        - a\n"
        "---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\n"
    )
