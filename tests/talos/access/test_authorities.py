"""An authority is made once, and replaced in two steps."""

import datetime
import stat
from pathlib import Path

import pytest

from talos.access.authorities import MAX_RETIRED, Authorities, RotationError
from talos.access.certificates import AUTHORITY_LIFETIME, Authority, split

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


@pytest.mark.parametrize("name", ["ca.pem", "next.pem", "given.pem", "accepted.pem", "retired.pem"])
def test_a_start_takes_away_what_a_killed_write_left(authorities: Authorities, name: str) -> None:
    (authorities.directory / f".{name}.new").write_text("half of a key")

    authorities.ensure(NOW)

    assert [each.name for each in authorities.directory.iterdir()] == ["ca.pem"]


def test_while_one_is_replaced_both_are_accepted(authorities: Authorities) -> None:
    old = authorities.current.pair
    authorities.begin_rotation(NOW)

    assert authorities.current.pair == old
    assert authorities.newest.pair != old
    assert all(each.pair.certificate in authorities.accepted for each in (authorities.current, authorities.newest))


def test_once_it_is_replaced_the_old_one_is_forgotten(authorities: Authorities) -> None:
    old = authorities.current.pair
    authorities.begin_rotation(NOW)
    new = authorities.newest.pair
    authorities.finish_rotation()

    assert authorities.current.pair == new
    assert authorities.accepted == new.certificate
    assert sorted(each.name for each in authorities.directory.iterdir()) == ["ca.pem", "retired.pem"]
    assert (authorities.directory / "retired.pem").read_bytes() == old.certificate, "and no key"


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


def test_a_given_authority_is_in_force_until_it_is_taken_back(authorities: Authorities) -> None:
    own, given = authorities.current.pair, Authority.create(NOW).pair

    assert authorities.adopt(given, b"", NOW)
    assert (authorities.current.pair, authorities.newest.pair) == (given, given)
    assert authorities.accepted == given.certificate
    assert not authorities.adopt(given, b"", NOW)

    assert authorities.adopt(None, b"", NOW)
    assert authorities.current.pair == own
    assert authorities.accepted == own.certificate


def test_others_may_certify_clients_besides(authorities: Authorities) -> None:
    others = Authority.create(NOW).pair.certificate + Authority.create(NOW).pair.certificate

    authorities.adopt(None, others, NOW)

    assert sorted(split(authorities.accepted)) == sorted([authorities.current.pair.certificate, *split(others)])


def test_a_login_of_an_authority_that_was_replaced_is_still_known_for_ours(authorities: Authorities) -> None:
    own = authorities.current.pair.certificate

    authorities.adopt(Authority.create(NOW).pair, b"", NOW)

    assert own in authorities.known


def test_logins_of_all_authorities_that_were_in_force_lately_are_known_for_ours(authorities: Authorities) -> None:
    replaced = []
    for _ in range(2):
        replaced.append(authorities.current.pair.certificate)
        authorities.begin_rotation(NOW)
        authorities.finish_rotation()
    for _ in range(MAX_RETIRED):
        authorities.adopt(Authority.create(NOW).pair, b"", NOW)
        replaced.append(authorities.current.pair.certificate)

    assert all(each in authorities.known for each in replaced[-MAX_RETIRED:])
    assert replaced[0] not in authorities.known
    assert not any(each in authorities.accepted for each in replaced[:-1])


def test_a_given_authority_is_not_rotated_here(authorities: Authorities) -> None:
    authorities.adopt(Authority.create(NOW).pair, b"", NOW)

    with pytest.raises(RotationError, match=r"replace machine\.ca there"):
        authorities.begin_rotation(NOW)


def test_what_is_given_is_for_its_owner_alone(authorities: Authorities) -> None:
    authorities.adopt(Authority.create(NOW).pair, Authority.create(NOW).pair.certificate, NOW)

    files = {each.name: stat.S_IMODE(each.stat().st_mode) for each in authorities.directory.iterdir()}
    assert files == {"ca.pem": 0o600, "given.pem": 0o600, "accepted.pem": 0o600}


def test_what_is_no_authority_is_not_adopted(authorities: Authorities) -> None:
    own = authorities.current.pair
    client = authorities.current.for_client(["os:admin"], NOW)

    with pytest.raises(ValueError, match="not of an authority"):
        authorities.adopt(client, b"", NOW)

    assert authorities.current.pair == own


def test_an_authority_that_is_over_is_not_adopted(authorities: Authorities) -> None:
    over = Authority.create(NOW - 2 * AUTHORITY_LIFETIME).pair

    with pytest.raises(ValueError, match=r"the authority is over since 2016-01-05T00:00:00\+00:00: replace it"):
        authorities.adopt(over, b"", NOW)
