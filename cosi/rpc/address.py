"""Where a server listens and a client connects: a unix socket, or a host and port.

Plain text is for this machine only: a unix socket of mode 0600, or a loopback address. Imported by the command line, so
it imports next to nothing itself.
"""

from __future__ import annotations

import os
import socket
from typing import NamedTuple

DEFAULT_SOCKET_NAME = "cosi.sock"
SOCKET_VARIABLE = "COSI_SOCKET"
"""The environment variable that names the socket where no option does."""

LOCALHOST_ADDRESSES = ("127.0.0.1", "::1")
MAX_PORT = 65_535

_LOOPBACK_NETWORK = 127
_LOOPBACK_6 = socket.inet_pton(socket.AF_INET6, "::1")


class Address(NamedTuple):
    """A unix socket's path, or, where that is empty, a host and port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def target(self) -> str:
        """The address as gRPC writes it."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return self.path or self.target


def parse(text: str) -> Address:
    """Return the address of `unix:PATH`, a path with a slash in it, or `HOST:PORT`. Raises ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        # Two slashes open an absolute path too, as in any URL.
        return Address(path="/" + path.lstrip("/") if path.startswith("/") else path)
    if "/" in text:
        return Address(path=text)
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > MAX_PORT:
        raise ValueError(f"{text!r} is not an address: write unix:PATH or HOST:PORT")
    return Address(host=host or LOCALHOST_ADDRESSES[0], port=int(port))


def parse_endpoint(text: str, default_port: int) -> Address:
    """Return the address of HOST or HOST:PORT; brackets around an IPv6 address may be left out where no port follows.

    Raises ValueError.
    """
    if not text or "/" in text:
        raise ValueError(f"{text!r} is not an address: write HOST or HOST:PORT")
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    has_port = ":" in text.rpartition("]")[2]
    return parse(text if has_port else f"{text}:{default_port}")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine and nothing else; names other than localhost are not looked up."""
    if host == "localhost":
        return True
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        packed = socket.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return packed[0] == _LOOPBACK_NETWORK if family == socket.AF_INET else packed == _LOOPBACK_6


def default_socket() -> str:
    """Return the path of the socket that servers listen on and clients look for unless told.

    `$COSI_SOCKET`; else cosi.sock in the user's runtime directory; else in a directory of the user's own under /tmp.
    """
    if named := os.environ.get(SOCKET_VARIABLE):
        return named
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return os.path.join(runtime, DEFAULT_SOCKET_NAME)
    return f"/tmp/cosi-{os.getuid()}/{DEFAULT_SOCKET_NAME}"  # noqa: S108 - servers refuse a directory of somebody else
