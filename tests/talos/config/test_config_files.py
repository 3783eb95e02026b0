"""What a start finds of the file, the last good config and a staged one; whatever is written is for its owner alone."""

import os
import stat
from pathlib import Path

import pytest

from talos.config.claims import Claims
from talos.config.config_files import ConfigFiles
from talos.config.faults import ConfigError
from talos.config.machine_config import MachineConfig, parse


def config(name: str) -> MachineConfig:
    return parse(f"version: v1alpha1\n# {name}\n".encode(), source=name)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def files(tmp_path: Path, state: Path) -> ConfigFiles:
    return ConfigFiles(tmp_path / "machine.yaml", state)


def test_a_saved_config_is_the_files_and_the_last_good_one(files: ConfigFiles) -> None:
    files.save(Claims(), config("a"))
    files.file.write_text("broken")

    assert files.start() == (Claims(config("a")), "")


def test_a_staged_config_takes_the_files_place_at_the_next_start(files: ConfigFiles) -> None:
    before = files.save(Claims(), config("a"))

    staged = files.stage(before, config("b"))

    assert files.load() == config("a")
    assert staged.lasting == config("b")
    assert files.start() == (Claims(config("b")), "")
    assert files.load() == config("b")
    assert files.start() == (Claims(config("b")), "")


def test_a_start_that_is_killed_after_the_file_was_written_is_finished_by_the_next(files: ConfigFiles) -> None:
    files.stage(files.save(Claims(), config("a")), config("b"))

    files.file.write_bytes(config("b").raw)  # what the killed start had done

    assert files.start() == (Claims(config("b")), "")


@pytest.mark.parametrize("name", ["machine.yaml", "config.yaml", "staged.json"])
def test_a_start_takes_away_what_a_killed_write_left(
    tmp_path: Path, files: ConfigFiles, state: Path, name: str
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    files.file.symlink_to(real / "machine.yaml")
    files.save(Claims(), config("a"))
    left = (real if name == "machine.yaml" else state) / f".{name}.new"
    left.write_text("a secret, and half of")

    assert files.start() == (Claims(config("a")), "")

    assert not left.exists()


def test_a_file_that_somebody_wrote_after_staging_keeps_its_place(files: ConfigFiles) -> None:
    files.stage(files.save(Claims(), config("a")), config("b"))
    files.file.write_bytes(config("c").raw)

    claims, problem = files.start()

    assert (claims.in_force, claims.staged) == (config("c"), None)
    assert problem == "the config file was written since"
    assert files.start() == (claims, "")


def test_a_staged_config_whose_turn_cannot_come_waits_on_and_is_told_of(files: ConfigFiles, state: Path) -> None:
    files.file.parent.joinpath("etc").mkdir()
    elsewhere = ConfigFiles(files.file.parent / "etc/machine.yaml", state)
    staged = elsewhere.stage(elsewhere.save(Claims(), config("a")), config("b"))
    elsewhere.file.unlink()
    elsewhere.file.parent.rmdir()

    claims, problem = elsewhere.start()

    assert claims == staged
    assert problem == f"{elsewhere.file} can't be written: No such file or directory"


def test_a_staged_config_that_cannot_be_read_is_told_of(files: ConfigFiles, state: Path) -> None:
    before = files.save(Claims(), config("a"))
    (state / "staged.json").write_bytes(b"{")

    claims, problem = files.start()

    assert claims == before
    assert problem


def test_applying_drops_what_was_staged(files: ConfigFiles) -> None:
    staged = files.stage(files.save(Claims(), config("a")), config("b"))

    files.save(staged, config("c"))

    assert files.start() == (Claims(config("c")), "")


def test_a_link_to_the_file_stays_a_link(files: ConfigFiles, tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_bytes(config("a").raw)
    files.file.symlink_to("real.yaml")

    files.save(Claims(), config("b"))

    assert files.file.is_symlink()
    assert (tmp_path / "real.yaml").read_bytes() == config("b").raw


def test_all_that_is_written_is_for_its_owner_alone(files: ConfigFiles, state: Path) -> None:
    files.stage(files.save(Claims(), config("a")), config("b"))

    written = [files.file, *state.iterdir()]

    assert {stat.S_IMODE(each.stat().st_mode) for each in written} == {0o600}
    assert len(written) == 3


def test_a_directory_that_is_gone_keeps_a_config_from_being_saved_and_staged(files: ConfigFiles, state: Path) -> None:
    nowhere = ConfigFiles(files.file.parent / "nowhere/machine.yaml", state)

    with pytest.raises(OSError):
        nowhere.save(Claims(), config("a"))
    with pytest.raises(OSError):
        nowhere.stage(Claims(), config("a"))

    assert not list(state.iterdir())


@pytest.mark.parametrize("present", ["machine.yaml", "state/config.yaml", "state/staged.json"])
def test_a_node_with_any_config_is_not_vacant(files: ConfigFiles, tmp_path: Path, present: str) -> None:
    assert files.vacant

    (tmp_path / present).write_text("broken")

    assert not files.vacant


def test_a_link_to_nothing_is_not_taken_for_vacancy(files: ConfigFiles) -> None:
    os.symlink("nowhere", files.file)

    assert not files.vacant


def test_a_missing_file_says_what_to_do(files: ConfigFiles) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file or directory; put a machine config there"):
        files.load()
