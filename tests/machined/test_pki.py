"""Logins are made in any role but that of nodes among each other."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from machined.main import cli


def test_nobody_gets_a_login_in_the_role_of_a_node(tmp_path: Path) -> None:
    (tmp_path / "pki").mkdir()
    command = [
        "talosconfig",
        "--state",
        str(tmp_path),
        "--output",
        str(tmp_path / "login"),
        "--role",
        "os:impersonator",
    ]

    result = CliRunner().invoke(cli, command)

    assert result.exit_code == 1
    assert "os:impersonator is what nodes are to each other" in result.output
    assert not (tmp_path / "login").exists()
