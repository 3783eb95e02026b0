"""Which nodes to ask over the network, and how: talosctl's global options, and the calls it begins every command with.

    with a login       one connection to any endpoint that answers, which passes each call on to the node it names
    in maintenance     a connection to each node itself, which has no logins yet and is not told its name

Each node is asked for its version before anything else, and a node that does not tell it fails the command.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final, NamedTuple

from cosi.cli import login
from cosi.cli.asking import CONNECT_SECONDS, failure
from cosi.cli.remote import Node, Remote
from cosi.rpc import address, blocking_tls
from cosi.rpc.address import Address
from cosi.rpc.blocking import Channel
from cosi.rpc.http2.status import RpcError
from cosi.rpc.tls import ClientTls, UnverifiedTls

DEFAULT_PORT: Final = 50000
"""Where a node listens, unless told."""

HTTPS_PORT: Final = 443
"""Where an endpoint that is written as a URL is, unless told."""

RUNTIME: Final = ("runtime", "Talos")
"""What goes along with every call, for proxies that serve more than Talos."""

NO_NODES: Final = (
    "nodes are not set for the command: please use `--nodes` flag or configuration file to set the nodes to run the "
    "command against"
)
NO_ENDPOINTS: Final = "failed to determine endpoints: use --endpoints, or put them into the configuration file"

RemoteOf = Callable[[str], Remote]
"""How to get at a node of a name. Raises RpcError."""


class Network(NamedTuple):
    """What somebody asked for; what is left empty is in the login."""

    talosconfig: str = ""
    context: str = ""
    cluster: str = ""
    endpoints: Sequence[str] = ()
    nodes: Sequence[str] = ()
    insecure: bool = False
    fingerprints: Sequence[str] = ()

    @contextmanager
    def reached(self) -> Iterator[Sequence[Node]]:
        """Hold connections to all nodes while the body runs, each of which has told its version.

        Raises RpcError, ValueError, OSError; click.ClickException for what is wrong with several.
        """
        with ExitStack() as stack:
            names, remote_of = self._in_maintenance(stack) if self.insecure else self._logged_in(stack)
            nodes, problems = [], []
            for name in names:
                try:
                    node = Node(name, remote_of(name))
                    node.remote.version()
                    nodes.append(node)
                except RpcError as error:
                    problems.append(f"{name}: error getting server version: {error.message}")
            if problems:
                raise failure(problems)
            yield nodes

    def _logged_in(self, stack: ExitStack) -> tuple[Sequence[str], RemoteOf]:
        known = login.read(self.talosconfig or login.default_path(), self.context)
        endpoints = [endpoint(each) for each in self.endpoints or known.endpoints]
        if not endpoints:
            raise ValueError(NO_ENDPOINTS)
        cluster = self.cluster or known.cluster
        of_cluster = [("context", cluster)] if cluster else []
        names = self.nodes or known.nodes
        if not names:
            raise ValueError(NO_NODES)
        channel = stack.enter_context(_connected(endpoints, known.tls))
        return names, lambda name: Remote(channel, [("node", name), RUNTIME, *of_cluster])

    def _in_maintenance(self, stack: ExitStack) -> tuple[Sequence[str], RemoteOf]:
        if not self.nodes:
            raise ValueError(NO_NODES)
        tls = UnverifiedTls(self.fingerprints)

        def remote_of(name: str) -> Remote:
            channel = blocking_tls.connect(endpoint(name), tls, timeout_seconds=CONNECT_SECONDS)
            return Remote(stack.enter_context(channel), [RUNTIME])

        return self.nodes, remote_of


def endpoint(text: str) -> Address:
    """Return the address of HOST, HOST:PORT, or a URL of these. Raises ValueError."""
    scheme, is_url, rest = text.partition("://")
    if not is_url:
        return address.parse_endpoint(text, DEFAULT_PORT)
    return address.parse_endpoint(rest.partition("/")[0], HTTPS_PORT if scheme == "https" else DEFAULT_PORT)


def _connected(endpoints: Sequence[Address], tls: ClientTls) -> Channel:
    """Return a connection to one of them, whichever answers first of those taken in any order."""
    problems = []
    for each in random.sample(endpoints, len(endpoints)):
        try:
            return blocking_tls.connect(each, tls, timeout_seconds=CONNECT_SECONDS)
        except RpcError as error:
            problems.append(error.message)
    raise failure(problems)
