"""Where a server listens and a client connects: a unix socket, or a host and port.

Plain text is for this machine only: a unix socket of mode 0600, or a loopback address.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Final, NamedTuple

DEFAULT_SOCKET_NAME: Final = "cosi.sock"
SOCKET_VARIABLE: Final = "COSI_SOCKET"
"""The environment variable that names the socket where no option does."""


class Address(NamedTuple):
    """A unix socket's path, or a host and port."""

    path: Path | None = None
    host: str = ""
    port: int = 0

    @property
    def target(self) -> str:
        """The address as gRPC writes it."""
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return str(self.path) if self.path is not None else self.target


def parse(text: str) -> Address:
    """Return the address of `unix:PATH`, a path with a slash in it, or `HOST:PORT`. Raises ValueError."""
    if text.startswith("unix:"):
        return Address(path=Path(text.removeprefix("unix:")))
    if "/" in text:
        return Address(path=Path(text))
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not an address: write unix:PATH or HOST:PORT")
    return Address(host=host or "127.0.0.1", port=int(port))


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine and nothing else; names other than localhost are not looked up."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def default_socket() -> Path:
    """Return the socket that servers listen on and clients look for unless told.

    `$COSI_SOCKET`; else cosi.sock in the user's runtime directory; else in a directory of the user's own under /tmp.
    """
    if named := os.environ.get(SOCKET_VARIABLE):
        return Path(named)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / DEFAULT_SOCKET_NAME
    return Path(f"/tmp/cosi-{os.getuid()}") / DEFAULT_SOCKET_NAME  # noqa: S108 - the directory is made 0700 and checked
