"""Mirrors that fail in one way each, and a config that names them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from talos.extensions.registries import ANY_HOST, Auth, Mirror, MirrorEndpoint, Registries
from tests.talos.extensions.scripted_registry import Answer, Asked, ScriptedRegistry, scripted_registry

CLOSED = "127.0.0.1:1"
"""Where nobody listens."""

Script = Callable[[Asked], Answer]


def missing(_: Asked) -> Answer:
    return Answer(404)


def broken(_: Asked) -> Answer:
    return Answer(502)


def locked(_: Asked) -> Answer:
    return Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'})


def busy(_: Asked) -> Answer:
    return Answer(429, headers={"Retry-After": "120"})


def behind_password(script: Script) -> Script:
    return lambda asked: script(asked) if "authorization" in asked.headers else locked(asked)


@asynccontextmanager
async def running(*scripts: Script) -> AsyncIterator[Sequence[ScriptedRegistry]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(scripted_registry(script)) for script in scripts]


def mirrored(*hosts: str, skip_fallback: bool = False, auths: dict[str, Auth] | None = None) -> Registries:
    endpoints = tuple(MirrorEndpoint(f"http://{host}") for host in hosts)
    return Registries({ANY_HOST: Mirror(endpoints, skip_fallback)}, auths or {})
