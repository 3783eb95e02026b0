"""Where a node's machine configs lie: the file that people edit, the last good one, and the one for the next start.

    FILE                  what people edit, and where a config that is applied goes
    STATE/config.yaml     the last good one, so that a node that starts on a broken file still knows what to be
    STATE/staged.json     the one that takes the place of the file at the next start

All that is written here is for its owner alone (a config holds secrets), and is there as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import msgspec

from talos import private_file
from talos.config import machine_config
from talos.config.claims import Claims, Staged, digest
from talos.config.faults import ConfigError, ConfigFault
from talos.config.machine_config import MachineConfig

MAX_FILE_BYTES: Final = 2 * machine_config.MAX_CONFIG_BYTES
"""More is read of no file: a staged config is in base64, and one that is too long is refused by who parses it."""


class _StagedFile(msgspec.Struct):
    over: str
    config: bytes


class ConfigFiles:
    """The configs of the node that follows `file` and keeps its own in the directory `state`."""

    def __init__(self, file: Path, state: Path) -> None:
        self.file = file
        self._kept = state / "config.yaml"
        self._staged = state / "staged.json"

    @property
    def vacant(self) -> bool:
        """Whether there is no config at all, not even a broken one. Raises OSError if that can't be told."""
        return not any(_exists(each) for each in (self.file, self._kept, self._staged))

    def load(self) -> MachineConfig:
        """Return what the file holds. Raises ConfigError."""
        try:
            with self.file.open("rb") as file:
                raw = file.read(MAX_FILE_BYTES)
        except OSError as error:
            fault = ConfigFault(0, "", f"can't be read: {error.strerror}", "put a machine config there")
            raise ConfigError(str(self.file), (fault,)) from None
        return machine_config.parse(raw, source=str(self.file))

    def start(self) -> tuple[Claims, str]:
        """Return what there is at a start, and what kept a staged config from its turn. Raises OSError.

        A staged config is put into the file; but not if somebody has written the file since.
        """
        private_file.tidy(self.file.resolve(), self._kept, self._staged)
        staged, problem = self._load_staged()
        claims = Claims(self._good(self._kept), staged=staged)
        # What is wrong with the file is told whenever it is read.
        with contextlib.suppress(ConfigError):
            claims = claims.found(self.load())
        if claims.staged is None:
            self._staged.unlink(missing_ok=True)
            if staged is not None and staged.config != claims.saved:  # equal where a start was killed here
                problem = "the config file was written since"
            return claims, problem
        try:
            return self.save(claims, claims.staged.config), ""
        except OSError as error:
            return claims, f"{self.file} can't be written: {error.strerror}"

    def keep(self, claims: Claims) -> None:
        """See to it that the next start knows what was good. Raises OSError."""
        if claims.saved is not None and _content(self._kept) != claims.saved.raw:
            private_file.write(self._kept, claims.saved.raw)
        if claims.staged is None:
            self._staged.unlink(missing_ok=True)

    def save(self, claims: Claims, config: MachineConfig) -> Claims:
        """Put a config into the file, in the place of what it is a link to, if it is one. Raises OSError."""
        private_file.write(self.file.resolve(), config.raw)
        saved = claims.applied(config)
        self.keep(saved)
        return saved

    def stage(self, claims: Claims, config: MachineConfig) -> Claims:
        """Let a config take the file's place at the next start. Raises OSError, also if it could not do so."""
        directory = self.file.resolve().parent
        if not os.access(directory, os.W_OK | os.X_OK):
            raise PermissionError(0, "the directory can't be written to", str(directory))
        over = digest(_content(self.file))
        private_file.write(self._staged, msgspec.json.encode(_StagedFile(over, config.raw)))
        return claims.put_aside(config, over)

    def _load_staged(self) -> tuple[Staged | None, str]:
        content = _content(self._staged)
        if content is None:
            return None, ""
        try:
            staged = msgspec.json.decode(content, type=_StagedFile)
            return Staged(machine_config.parse(staged.config, source=str(self._staged)), staged.over), ""
        except (msgspec.DecodeError, ConfigError) as error:
            return None, str(error)

    def _good(self, path: Path) -> MachineConfig | None:
        content = _content(path)
        try:
            return None if content is None else machine_config.parse(content, source=str(path))
        except ConfigError:
            return None  # it was good for another version of this program


def _content(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None


def _exists(path: Path) -> bool:
    # Not os.path.lexists: that takes what may not be looked at for absent.
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True
