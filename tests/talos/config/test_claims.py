"""Whoever speaks last is heard, a trial is never lasting, and what is lasting is in force after the next start."""

import datetime
import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from talos.config.claims import Claims, digest
from talos.config.machine_config import MachineConfig

UNTIL = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def config(name: str) -> MachineConfig:
    return MachineConfig(name.encode(), ())


def test_without_a_config_nothing_is_in_force() -> None:
    assert (Claims().in_force, Claims().lasting) == (None, None)


def test_a_trial_is_over_at_its_time_and_not_before() -> None:
    claims = Claims(config("a")).tried(config("b"), 60.0, UNTIL)

    assert claims.at(59.9).in_force == config("b")
    assert claims.at(60.0).in_force == config("a")


def test_the_end_of_a_trial_is_told_to_people() -> None:
    claims = Claims(config("a")).tried(config("b"), 60.0, UNTIL)

    assert claims.trial is not None
    assert claims.trial.until == "2026-01-02T03:04:05Z"


def test_a_second_trial_goes_back_to_the_file_and_not_to_the_first() -> None:
    claims = Claims(config("a")).tried(config("b"), 60.0, UNTIL).tried(config("c"), 90.0, UNTIL)

    assert claims.at(60.0).in_force == config("c")
    assert claims.at(90.0).in_force == config("a")


def test_staging_lets_a_trial_go_on_until_the_next_start() -> None:
    claims = Claims(config("a")).tried(config("b"), 60.0, UNTIL).put_aside(config("c"), digest(b"a"))

    assert claims.at(1e9).in_force == config("b")
    assert claims.lasting == config("c")


def test_a_file_that_was_not_changed_ends_nothing() -> None:
    claims = Claims(config("a")).tried(config("b"), 60.0, UNTIL).put_aside(config("c"), digest(b"a"))

    assert claims.found(config("a")) == claims


@pytest.mark.parametrize("before", [None, b"broken"])
def test_a_config_staged_over_no_good_file_waits_until_there_is_one(before: bytes | None) -> None:
    claims = Claims().put_aside(config("a"), digest(before))

    assert claims.lasting == config("a")
    assert claims.found(config("b")) == Claims(config("b"))


class Story(RuleBasedStateMachine):
    """A node's configs against a list of what happened, read backwards."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = itertools.count()
        self.claims = Claims()
        self.now = 0.0
        self.file = b""
        self.told: list[tuple[str, bytes, float]] = []

    def fresh(self) -> MachineConfig:
        return config(f"config {next(self.numbers)}")

    @rule()
    def write_by_hand(self) -> None:
        new = self.fresh()
        self.file = new.raw
        self.claims = self.claims.found(new)
        self.told.append(("file", new.raw, 0.0))

    @precondition(lambda self: self.file)
    @rule()
    def touch(self) -> None:
        self.claims = self.claims.found(config(self.file.decode()))

    @rule()
    def apply(self) -> None:
        new = self.fresh()
        self.file = new.raw
        self.claims = self.claims.applied(new).found(new)
        self.told.append(("file", new.raw, 0.0))

    @precondition(lambda self: self.file)
    @rule(seconds=st.integers(1, 5))
    def attempt(self, seconds: int) -> None:
        new = self.fresh()
        self.claims = self.claims.tried(new, self.now + seconds, UNTIL)
        self.told.append(("trial", new.raw, self.now + seconds))

    @rule()
    def stage(self) -> None:
        new = self.fresh()
        self.claims = self.claims.put_aside(new, digest(self.file or None))
        self.told.append(("staged", new.raw, 0.0))

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.claims = self.claims.at(self.now)
        self.told.append(("time", b"", self.now))

    @rule()
    def start_again(self) -> None:
        lasting = self.claims.lasting
        self.claims = Claims() if lasting is None else Claims(lasting)
        self.file = lasting.raw if lasting is not None else b""
        if lasting is not None:
            self.told.append(("file", lasting.raw, 0.0))

    @invariant()
    def is_as_told(self) -> None:
        in_force, lasting = self._expected()
        assert (self.claims.in_force.raw if self.claims.in_force else b"") == in_force
        assert (self.claims.lasting.raw if self.claims.lasting else b"") == lasting

    def _expected(self) -> tuple[bytes, bytes]:
        since = max((i for i, (what, *_) in enumerate(self.told) if what == "file"), default=-1)
        saved = self.told[since][1] if since >= 0 else b""
        later = self.told[since + 1 :]
        staged = [raw for what, raw, _ in later if what == "staged"]
        in_force = saved
        for index, (what, raw, ends) in enumerate(later):
            if what == "trial":
                after = later[index + 1 :]
                until_staged = list(itertools.takewhile(lambda each: each[0] != "staged", after))
                over = any(kind == "time" and at >= ends for kind, _, at in until_staged)
                in_force = saved if over else raw
        return in_force, staged[-1] if staged else saved


TestStory = Story.TestCase


@given(st.binary(), st.binary())
def test_a_digest_tells_contents_apart(one: bytes, other: bytes) -> None:
    assert (digest(one) == digest(other)) == (one == other)
    assert digest(one) != digest(None)
