"""machine.MachineService/GenerateClientConfiguration: another login, in the roles and for the time that are asked for.

It is certified as those that `machined talosconfig` writes. Talos names the context after the cluster, of which this
node is none: here it is the node's own name.
"""

from __future__ import annotations

import datetime
import socket
from typing import Final

from anyio import to_thread

from cosi.rpc.codec import parse
from cosi.rpc.http2.status import Code
from cosi.rpc.seam import Call, Frames, Refusal, Service, frame
from machined.login import now
from machined.services.machine import NAME
from talos._pb.machine import machine_pb2
from talos.access import talosconfig
from talos.access.authorities import Authorities
from talos.access.certificates import AUTHORITY_LIFETIME
from talos.access.talosconfig import Talosconfig

MAX_ROLES: Final = 16
"""There are seven."""
MAX_ROLE_CHARACTERS: Final = 64
"""Of an organization in a certificate (RFC 5280, appendix A.1)."""

_PREFIX: Final = "os:"

Request = machine_pb2.GenerateClientConfigurationRequest


class LoginService:
    """The method on bytes."""

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities
        self.service = Service(NAME, unary={"GenerateClientConfiguration": self._generate})

    async def _generate(self, request: bytes, _: Call) -> Frames:
        """Answer with GenerateClientConfigurationResponse."""
        asked = parse(Request, request)
        # Anything may be asked for, but no certificate outlives its authority.
        seconds = min(asked.crt_ttl.ToNanoseconds() / 1e9, AUTHORITY_LIFETIME.total_seconds())
        if seconds <= 0:
            raise Refusal(Code.INVALID_ARGUMENT, "crt_ttl should be positive")
        roles = sorted({role for each in asked.roles if (role := each.strip())})
        if len(roles) > MAX_ROLES or any(len(role) > MAX_ROLE_CHARACTERS for role in roles):
            problem = f"at most {MAX_ROLES} roles, each of at most {MAX_ROLE_CHARACTERS} characters, fit a certificate"
            raise Refusal(Code.INVALID_ARGUMENT, problem)
        answer = await to_thread.run_sync(self._login, roles, datetime.timedelta(seconds=seconds))
        return frame(machine_pb2.GenerateClientConfigurationResponse(messages=[answer]).SerializeToString())

    def _login(self, roles: list[str], lifetime: datetime.timedelta) -> machine_pb2.GenerateClientConfiguration:
        ca = self._authorities.accepted
        client = self._authorities.newest.for_client(roles, now(), lifetime)
        host = socket.gethostname()
        context = f"{roles[0].removeprefix(_PREFIX)}@{host}" if len(roles) == 1 else host
        # talosctl knows where it found the node, and adds the endpoints itself.
        config = Talosconfig(context, {context: talosconfig.login([], [], ca=ca, client=client)})
        return machine_pb2.GenerateClientConfiguration(
            ca=ca, crt=client.certificate, key=client.key, talosconfig=talosconfig.text(config)
        )
