"""Connects a socket to a server on this machine, or says in plain words why that cannot be.

Plain text never leaves the machine: a TCP host is `localhost` or a loopback address, and names are not looked up. That
is also faster: the resolver's first step in Python is to import the IDNA tables.
"""

import os
import socket
from stat import S_ISSOCK

from cosi.rpc.http2.status import Code, RpcError

LOCALHOST_ADDRESSES = ("127.0.0.1", "::1")
MAX_PORT = 65_535


def connect(target: str, *, timeout_seconds: float) -> socket.socket:
    """Connect to `unix:PATH`, a path with a slash in it, or `HOST:PORT`.

    Raises RpcError: INVALID_ARGUMENT if the target is none of these, UNAVAILABLE if nobody answers there.
    """
    if target.startswith("unix:"):
        path = target.removeprefix("unix:")
        # Two slashes open an absolute path too, as in any URL.
        return _connect_unix("/" + path.lstrip("/") if path.startswith("/") else path, timeout_seconds)
    if "/" in target:
        return _connect_unix(target, timeout_seconds)
    return _connect_tcp(target, timeout_seconds)


def _connect_unix(path: str, timeout_seconds: float) -> socket.socket:
    try:
        return _connect(socket.AF_UNIX, path, timeout_seconds)
    except OSError as error:
        raise RpcError(Code.UNAVAILABLE, _explain_unix(path, timeout_seconds, error)) from None


def _connect_tcp(target: str, timeout_seconds: float) -> socket.socket:
    host, port = _host_and_port(target)
    addresses = LOCALHOST_ADDRESSES if host == "localhost" else (host,)
    failure: OSError | None = None
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            connected = _connect(family, (address, port), timeout_seconds)
        except OSError as error:
            failure = failure or error
            continue
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected
    raise RpcError(Code.UNAVAILABLE, _explain_tcp(target, timeout_seconds, failure))


def _connect(family: socket.AddressFamily, address: str | tuple[str, int], timeout_seconds: float) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.settimeout(timeout_seconds)
        connecting.connect(address)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _host_and_port(target: str) -> tuple[str, int]:
    host, colon, port = target.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or LOCALHOST_ADDRESSES[0]
    if not colon or not (port.isascii() and port.isdecimal()) or not 0 < int(port) <= MAX_PORT:
        raise RpcError(Code.INVALID_ARGUMENT, f"{target!r} is not an address: write unix:PATH or HOST:PORT")
    if host != "localhost" and not _is_loopback(host):
        why = "this connection is not encrypted, so only localhost and loopback addresses are allowed"
        raise RpcError(Code.INVALID_ARGUMENT, f"{target!r} is another machine: {why}")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        packed = socket.inet_pton(family, host)
    except OSError:
        return False
    return packed[0] == 127 if family == socket.AF_INET else packed == b"\0" * 15 + b"\1"


def _explain_unix(path: str, timeout_seconds: float, error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return f"there is no socket {path}: is the node running? Start it, or give the address of one that runs"
        case PermissionError():
            return f"this user may not open the socket {path}: run as its owner, or as root"
        case ConnectionRefusedError() if not _is_socket(path):
            return f"{path} is not a socket: give the path of the one that the node listens on"
        case ConnectionRefusedError():
            return f"nobody listens on the socket {path}: the node that made it is gone; start it again"
        case BlockingIOError():
            return f"too many connections wait for the node behind {path}: it is busy or stuck"
        case TimeoutError():
            return f"the node behind {path} did not answer within {timeout_seconds:g} s: it is busy or stuck"
        case _:
            return f"cannot connect to the socket {path}: {error.strerror or error}"


def _explain_tcp(target: str, timeout_seconds: float, error: OSError | None) -> str:
    match error:
        case ConnectionRefusedError():
            return f"nobody listens on {target}: is the node running? Start it, or give the address of one that runs"
        case TimeoutError():
            return f"{target} did not answer within {timeout_seconds:g} s: it is busy or stuck"
        case _:
            return f"cannot connect to {target}: {(error and error.strerror) or error}"


def _is_socket(path: str) -> bool:
    try:
        return S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False
