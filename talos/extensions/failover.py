"""An image is asked for at one endpoint after the other, until one has it.

An endpoint that does not answer, answers that it can't, or wants other credentials is asked last from then on; one
that does not have what is wanted is only passed over. Whoever asked to be left alone is left alone. When all have been
asked in vain, the error tells of each.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

import msgspec

from talos.extensions.credentials import Credentials
from talos.extensions.endpoints import Endpoint, endpoints_of
from talos.extensions.oci import Descriptor
from talos.extensions.pauses import Pauses
from talos.extensions.pull_errors import (
    EndpointsFailed,
    ImageNotFound,
    NotAuthorized,
    PullError,
    RegistryUnreachable,
)
from talos.extensions.reference import RegistryLocation
from talos.extensions.registries import Registries
from talos.extensions.registry import RegistrySource
from talos.extensions.source import BlobStream, Source


class Place(msgspec.Struct, frozen=True, eq=False):
    """An endpoint and how to ask it."""

    endpoint: Endpoint
    source: Source


class FailoverSource:
    """The images of one repository, wherever they are to be had; `places` come in the order in which to ask them."""

    def __init__(self, places: Sequence[Place], *, reference: str, host: str, pauses: Pauses) -> None:
        self._places = tuple(places)
        self._order = list(places)
        self._reference = reference
        self._host = host
        self._pauses = pauses
        self._wanted = ""
        self._failures: dict[Place, PullError] = {}

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        location: RegistryLocation,
        *,
        reference: str,
        registries: Registries,
        credentials: Credentials,
        pauses: Pauses,
    ) -> AsyncIterator[Self]:
        """Open a source for the length of the scope."""
        async with AsyncExitStack() as stack:
            places = []
            for endpoint in endpoints_of(location, registries, credentials):
                connecting = RegistrySource.connect(
                    endpoint, location.repository, registries=registries, reference=reference
                )
                places.append(Place(endpoint, await stack.enter_async_context(connecting)))
            yield cls(places, reference=reference, host=location.host, pauses=pauses)

    @property
    def places(self) -> int:
        """Return how many are asked in turn."""
        return len(self._places)

    async def document(self, selector: str) -> bytes:
        """Return the index or manifest that a tag or digest names."""
        for place in self._turn(selector):
            try:
                return await place.source.document(selector)
            except (RegistryUnreachable, ImageNotFound, NotAuthorized) as error:
                self._pass_over(place, error)
        raise self._in_vain()

    async def referrers(self, digest: str) -> bytes | None:
        """Return the list of what refers to a digest, of the first that keeps one; None where nobody does."""
        answered = False
        for place in self._turn(f"referrers {digest}"):
            try:
                found = await place.source.referrers(digest)
            except (RegistryUnreachable, ImageNotFound, NotAuthorized) as error:
                self._pass_over(place, error)
                continue
            if found is not None:
                return found
            answered = True
        if answered:
            return None
        raise self._in_vain()

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, *, offset: int) -> AsyncIterator[BlobStream]:
        """Open a blob, from `offset` on where the endpoint answers ranges."""
        for place in self._turn(descriptor.digest):
            async with AsyncExitStack() as stack:
                try:
                    stream = await stack.enter_async_context(place.source.blob(descriptor, offset=offset))
                except (RegistryUnreachable, ImageNotFound, NotAuthorized) as error:
                    self._pass_over(place, error)
                    continue
                try:
                    yield stream
                except RegistryUnreachable as error:
                    self._pass_over(place, error)
                    if len(self._failures) == len(self._places):
                        raise self._in_vain() from error
                    raise
                return
        raise self._in_vain()

    def _turn(self, wanted: str) -> Iterator[Place]:
        """Yield whom to ask for something, except those who want to be left alone."""
        if wanted != self._wanted:
            self._wanted = wanted
            self._failures.clear()
        for place in tuple(self._order):
            left = self._pauses.left(place.endpoint)
            if left:
                problem = "answered before that it can't serve now"
                self._failures[place] = RegistryUnreachable(
                    self._reference, place.endpoint.name, problem, retry_after=left
                )
            else:
                yield place

    def _pass_over(self, place: Place, error: PullError) -> None:
        self._failures[place] = error
        if error.retry_after is not None:
            self._pauses.note(place.endpoint, error.retry_after)
        if not isinstance(error, ImageNotFound):
            self._order.remove(place)
            self._order.append(place)

    def _in_vain(self) -> PullError:
        failures = [self._failures[place] for place in self._places if place in self._failures]
        if not failures:
            problem = "the config names no endpoint for it, and skips the fallback"
            remedy = "add an endpoint to its mirror under machine.registries.mirrors"
            return RegistryUnreachable(self._reference, self._host, problem, remedy=remedy, transient=False)
        return failures[0] if len(failures) == 1 else EndpointsFailed(self._reference, failures)
