"""A session speaks with one endpoint about one repository, politely and with suspicion.

Redirects are followed by hand: the Authorization header stays with the endpoint, and `may_follow` has the last word on
where we are sent. A challenge is answered once, with a password or with a token from the realm that it names.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Self

import httpx2

from talos.extensions.challenge import MAX_TOKEN_BYTES, Challenge, may_follow, same_place, token_of
from talos.extensions.connections import Connections
from talos.extensions.credentials import IdentityToken, Login
from talos.extensions.endpoints import Endpoint
from talos.extensions.pauses import pause_of
from talos.extensions.pull_errors import NotAuthorized, RegistryUnreachable
from talos.extensions.registries import Registries

MAX_REDIRECTS = 5
CLIENT_ID = "cosi"  # token servers log who asks

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class Session:
    """A conversation; `actions` are what leave is asked for, `reference` what messages call the image wanted."""

    def __init__(
        self, connections: Connections, endpoint: Endpoint, repository: str, *, reference: str, actions: str
    ) -> None:
        self._connections = connections
        self._endpoint = endpoint
        self._repository = repository
        self._reference = reference
        self._actions = actions
        self._authorization: str | None = None
        self.base = httpx2.URL(endpoint.url)
        self.chunks = connections.chunks
        self.bounded = connections.bounded

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoint: Endpoint, repository: str, registries: Registries, *, reference: str, actions: str
    ) -> AsyncIterator[Self]:
        """Begin a conversation, which ends with the scope."""
        async with Connections.open(endpoint, registries, reference=reference) as connections:
            yield cls(connections, endpoint, repository, reference=reference, actions=actions)

    @property
    def place(self) -> str:
        """Return what messages call the repository there."""
        return f"{self._endpoint.name}/{self._repository}"

    def url(self, path: str) -> httpx2.URL:
        """Return the address of something in the repository; a mirror is told whose repository is meant."""
        url = self.base.copy_with(path=f"{self.base.path.rstrip('/')}/{self._repository}/{path}")
        return url.copy_merge_params({"ns": self._endpoint.namespace}) if self._endpoint.namespace else url

    async def ask(self, path: str, headers: dict[str, str], *, method: str = "GET") -> httpx2.Response:
        """Send a request and answer one challenge; whoever takes the response closes it."""
        response = await self.send(self.url(path), headers, method=method)
        if response.status_code != HTTPStatus.UNAUTHORIZED:
            return response
        await response.aclose()
        self._authorization = await self._answer(response)
        return await self.send(self.url(path), headers, method=method)

    async def send(
        self,
        url: httpx2.URL,
        headers: dict[str, str],
        *,
        method: str = "GET",
        content: bytes | AsyncIterator[bytes] | None = None,
    ) -> httpx2.Response:
        """Send a request; follow redirects unless it has content. Only the endpoint sees the Authorization header."""
        for _ in range(MAX_REDIRECTS + 1):
            own = same_place(url, self.base)
            extra = {"Authorization": self._authorization} if own and self._authorization else {}
            response = await self._connections.send(method, url, {**headers, **extra}, content=content)
            if response.status_code == HTTPStatus.UNAUTHORIZED and not own:
                await response.aclose()
                raise self.refused(f"redirected to {url.host}, which wants credentials of its own")
            if response.status_code not in _REDIRECTS or content is not None:
                return response
            await response.aclose()
            try:
                target = url.join(response.headers.get("Location", ""))
            except httpx2.InvalidURL as error:
                raise self.refused("redirected to something that is no address") from error
            if not may_follow(self.base, target):
                raise self.refused(f"redirected to {target.scheme}://{target.host}, where it may not send this node")
            url = target
        raise self.refused(f"redirected more than {MAX_REDIRECTS} times")

    def failed(self, response: httpx2.Response, who: str = "answered") -> RegistryUnreachable:
        """Return the error of an answer that is neither what was asked for nor a matter of credentials."""
        status = response.status_code
        problem = f"{who} {status} {response.reason_phrase[:60]}".rstrip()
        passing = is_passing(response)
        remedy = "" if passing else "ask the registry's operator"
        return RegistryUnreachable(
            self._reference,
            self._endpoint.name,
            problem,
            remedy=remedy,
            transient=passing,
            retry_after=pause_of(status, response.headers),
        )

    def refused(self, problem: str) -> RegistryUnreachable:
        """Return the error of an answer that this side will not act on."""
        remedy = "ask the registry's operator"
        return RegistryUnreachable(self._reference, self._endpoint.name, problem, remedy=remedy, transient=False)

    def not_authorized(self) -> NotAuthorized:
        with_credentials = self._endpoint.login is not None
        return NotAuthorized(self._reference, self._endpoint.name, with_credentials=with_credentials)

    async def _answer(self, response: httpx2.Response) -> str:
        """Return the Authorization header that a 401 asks for."""
        login = self._endpoint.login
        challenge = Challenge.parse(response.headers.get("WWW-Authenticate", ""))
        if challenge is not None and challenge.scheme == "basic" and isinstance(login, Login):
            return login.basic
        if challenge is None or challenge.scheme != "bearer":
            raise self.not_authorized()
        url = challenge.token_server(registry=self.base)
        if url is None:
            raise self.refused("named a token server that is neither itself, nor https, nor on this machine with it")
        answer = await self._ask_for_token(
            url, challenge.parameters(scope=f"repository:{self._repository}:{self._actions}")
        )
        try:
            if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise self.not_authorized()
            if answer.status_code != HTTPStatus.OK:
                raise self.failed(answer, f"its token server {url.host} answered")
            token = token_of(await self.bounded(answer, MAX_TOKEN_BYTES, "the answer of the token server"))
        finally:
            await answer.aclose()
        if token is None:
            raise self.refused(f"its token server {url.host} answered without a token")
        return f"Bearer {token}"

    async def _ask_for_token(self, url: httpx2.URL, parameters: dict[str, str]) -> httpx2.Response:
        login = self._endpoint.login
        if isinstance(login, IdentityToken):
            # In a form, as OAuth2 has it: an address would be kept in the server's log.
            exchange = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": login.token}
            return await self._connections.send("POST", url, {}, form={**parameters, **exchange})
        headers = {"Authorization": login.basic} if login is not None else {}
        return await self._connections.send("GET", url.copy_merge_params(parameters), headers)


def is_passing(response: httpx2.Response) -> bool:
    """Tell whether a registry may answer otherwise when it is asked again."""
    return response.status_code in _PASSING
