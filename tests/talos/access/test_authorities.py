"""An authority is made once, and replaced in two steps."""

import datetime
from pathlib import Path

import pytest

from talos.access.authorities import Authorities, RotationError

NOW = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    made = Authorities(tmp_path / "pki")
    made.ensure(NOW)
    return made


def test_the_first_one_stays(authorities: Authorities) -> None:
    first = authorities.current.pair
    authorities.ensure(NOW)

    assert authorities.current.pair == first


def test_while_one_is_replaced_both_are_accepted(authorities: Authorities) -> None:
    old = authorities.current.pair
    authorities.begin_rotation(NOW)

    assert authorities.current.pair == old
    assert authorities.newest.pair != old
    assert all(each.pair.certificate in authorities.accepted for each in (authorities.current, authorities.newest))


def test_once_it_is_replaced_the_old_one_is_forgotten(authorities: Authorities) -> None:
    authorities.begin_rotation(NOW)
    new = authorities.newest.pair
    authorities.finish_rotation()

    assert authorities.current.pair == new
    assert authorities.accepted == new.certificate
    assert [each.name for each in authorities.directory.iterdir()] == ["ca.pem"]


def test_steps_out_of_order_are_refused(authorities: Authorities) -> None:
    with pytest.raises(RotationError, match="begin one first"):
        authorities.finish_rotation()
    authorities.begin_rotation(NOW)
    with pytest.raises(RotationError, match="under way"):
        authorities.begin_rotation(NOW)


def test_a_damaged_file_is_named(authorities: Authorities) -> None:
    (authorities.directory / "ca.pem").write_text("nothing")

    with pytest.raises(ValueError, match=r"ca\.pem holds no authority"):
        _ = authorities.current
