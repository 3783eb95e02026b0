"""A talosconfig takes one more login and loses none."""

import base64
import datetime
import stat
from pathlib import Path

import pytest
import yaml

from talos.access import talosconfig
from talos.access.certificates import Authority
from talos.access.talosconfig import Talosconfig, TalosconfigError

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
OURS = Authority.create(NOW)
CLIENT = OURS.for_client(["os:admin"], NOW)
CONTEXT = talosconfig.login(["10.0.0.1:50000"], ["10.0.0.1"], ca=OURS.pair.certificate, client=CLIENT)
ANOTHER = {"endpoints": ["10.0.0.2"], "ca": base64.b64encode(Authority.create(NOW).pair.certificate).decode()}


def merged(config: Talosconfig) -> Talosconfig:
    return talosconfig.merged(config, "node", CONTEXT, replaces=OURS.pair.certificate)


def test_the_file_has_the_form_talosctl_reads(tmp_path: Path) -> None:
    path = tmp_path / "talosconfig"
    talosconfig.write(path, merged(Talosconfig()))

    written = yaml.safe_load(path.read_text())

    assert written["context"] == "node"
    assert written["contexts"]["node"]["endpoints"] == ["10.0.0.1:50000"]
    assert base64.b64decode(written["contexts"]["node"]["key"]) == CLIENT.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    config = merged(Talosconfig("other", {"other": {**ANOTHER, "cluster": "kept as it is"}}))
    talosconfig.write(tmp_path / "talosconfig", config)

    assert talosconfig.read(tmp_path / "talosconfig") == config


def test_a_login_to_the_same_node_is_replaced() -> None:
    assert merged(merged(Talosconfig())) == merged(Talosconfig())


def test_another_nodes_login_keeps_its_name() -> None:
    config = merged(Talosconfig("node", {"node": ANOTHER}))

    assert config == Talosconfig("node-1", {"node": ANOTHER, "node-1": CONTEXT})


def test_logins_to_other_nodes_are_told_from_ours() -> None:
    config = merged(Talosconfig("other", {"other": ANOTHER, "none": {"ca": "no base64"}}))

    assert talosconfig.foreign(config, OURS.pair.certificate) == ["other", "none"]


@pytest.mark.parametrize("content", ["[1, 2]", "contexts: 7", "a: b: c", "\x00", "contexts: {a: 1}"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "file").write_text(content)

    with pytest.raises(TalosconfigError, match="not a talosconfig"):
        talosconfig.read(tmp_path / "file")
