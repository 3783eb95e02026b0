"""Which machine config is in force, the file's or one on trial, and which one the next start begins with.

    saved     what the file held when it was last good     in force, and what a trial goes back to
    trial     stands in for it, for a time                  lost at the next start
    staged    waits                                         takes the place of the file's at the next start

Who speaks last is heard: a config that is put into the file, through the node or by hand, ends a trial and whatever
was staged before. As in Talos, staging one lets a trial go on until the next start.
"""

from __future__ import annotations

import datetime
import hashlib

import msgspec

from talos.config.machine_config import MachineConfig


class Trial(msgspec.Struct, frozen=True):
    """A config on trial; `ends` is in seconds of the caller's clock, None where only the next start ends it.

    `until` is the same for people.
    """

    config: MachineConfig
    ends: float | None
    until: str


class Staged(msgspec.Struct, frozen=True):
    """A config for the next start; `over` is the digest of what the file held then."""

    config: MachineConfig
    over: str


class Claims(msgspec.Struct, frozen=True):
    """The configs that a node has. Nothing changes but by making another value."""

    saved: MachineConfig | None = None
    trial: Trial | None = None
    staged: Staged | None = None

    @property
    def in_force(self) -> MachineConfig | None:
        """What the node follows; None only before it had any config."""
        return self.trial.config if self.trial is not None else self.saved

    @property
    def lasting(self) -> MachineConfig | None:
        """What the next start begins with."""
        return self.staged.config if self.staged is not None else self.saved

    def found(self, config: MachineConfig) -> Claims:
        """The file holds this good config, whoever wrote it."""
        claims = self
        if self.saved is None or config.raw != self.saved.raw:
            claims = msgspec.structs.replace(claims, saved=config, trial=None)
        if claims.staged is not None and digest(config.raw) != claims.staged.over:
            claims = msgspec.structs.replace(claims, staged=None)
        return claims

    def applied(self, config: MachineConfig) -> Claims:
        """The node has put this config into the file."""
        return Claims(config)

    def tried(self, config: MachineConfig, ends: float, until: datetime.datetime) -> Claims:
        """This config is on trial until then, instead of any other."""
        return msgspec.structs.replace(self, trial=Trial(config, ends, until.strftime("%Y-%m-%dT%H:%M:%SZ")))

    def put_aside(self, config: MachineConfig, over: str) -> Claims:
        """This config is staged, instead of any other; a trial is not ended any more before it takes over."""
        trial = None if self.trial is None else Trial(self.trial.config, None, "the next start")
        return msgspec.structs.replace(self, staged=Staged(config, over), trial=trial)

    def at(self, now: float) -> Claims:
        """Now it is that late."""
        if self.trial is None or self.trial.ends is None or now < self.trial.ends:
            return self
        return msgspec.structs.replace(self, trial=None)


def digest(raw: bytes | None) -> str:
    """Return what tells a file's content from others; None is a file that is not there."""
    return "" if raw is None else hashlib.sha256(raw).hexdigest()
