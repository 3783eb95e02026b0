"""A core state behind a rule: an access that the rule refuses raises AccessDenied and does not reach the state.

    readable = Policy().allow(verbs=READS, namespace="runtime")
    async with serving(Filtered(core, readable), registry, [address]):
        ...

Whatever is derived from a core comes down to these accesses, so a rule has the last word on it too: adding a finalizer
is a get and an update. A rule sees names, never contents, and a list or a watch is asked for once, when it opens: who
may list a kind is shown all of it.
Faithful to `Filter` of the Go runtime (pkg/state/filter.go); ours checks a core's own teardown as well.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import msgspec

from cosi.resource.metadata import Kind, Phase, Pointer
from cosi.resource.query import ALL, Query
from cosi.resource.resource import AnyResource
from cosi.state import errors
from cosi.state.core import FROM_NOW, KIND_FROM_NOW, CoreState, SupportsTeardown, Watch, WatchKindOptions, WatchOptions


class Verb(enum.StrEnum):
    """What somebody wants to do."""

    GET = "get"
    LIST = "list"
    WATCH = "watch"
    CREATE = "create"
    UPDATE = "update"
    DESTROY = "destroy"


READS: Final = frozenset({Verb.GET, Verb.LIST, Verb.WATCH})
WRITES: Final = frozenset({Verb.CREATE, Verb.UPDATE, Verb.DESTROY})
EVERYTHING: Final = READS | WRITES

_TEARDOWN: Final = (Verb.GET, Verb.UPDATE)
_TEARDOWN_AND_DESTROY: Final = (Verb.GET, Verb.UPDATE, Verb.WATCH, Verb.DESTROY)


class Access(msgspec.Struct, frozen=True):
    """What is wanted, of which resource, in whose name; without an id it is about a whole kind."""

    verb: Verb
    namespace: str
    type: str
    id: str | None = None
    owner: str = ""

    @property
    def kind(self) -> Kind:
        """The kind the access is about."""
        return Kind(self.namespace, self.type)

    @property
    def target(self) -> str:
        """The resource as messages name it; that of a kind has no id."""
        return f"{self.type}({self.namespace}/{'' if self.id is None else self.id})"


Rule = Callable[[Access], bool | Awaitable[bool]]
"""Tells whether an access is allowed, at once or after a look elsewhere. One that wants to say why it is not raises
AccessDenied itself."""


class Filtered:
    """A core state that asks a rule first. It supports teardown just where the core does."""

    def __new__(cls, core: CoreState, rule: Rule) -> Filtered:
        """Choose the class by what the core supports."""
        return super().__new__(_FilteredTeardown if isinstance(core, SupportsTeardown) else cls)

    def __init__(self, core: CoreState, rule: Rule) -> None:
        self._core = core
        self._rule = rule

    async def get(self, pointer: Pointer) -> AnyResource:
        """Return a resource. Raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.GET, *pointer))
        return await self._core.get(pointer)

    async def list(self, kind: Kind, *, query: Query = ALL) -> Sequence[AnyResource]:
        """Return the resources of a kind that match. Raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.LIST, *kind))
        return await self._core.list(kind, query=query)

    async def create(self, resource: AnyResource, *, owner: str = "") -> AnyResource:
        """Store a new resource. Raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.CREATE, *resource.pointer, owner))
        return await self._core.create(resource, owner=owner)

    async def update(
        self, resource: AnyResource, *, owner: str = "", expected_phase: Phase | None = Phase.RUNNING
    ) -> AnyResource:
        """Replace a resource. Raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.UPDATE, *resource.pointer, owner))
        return await self._core.update(resource, owner=owner, expected_phase=expected_phase)

    async def destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        """Remove a resource. Raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.DESTROY, *pointer, owner))
        await self._core.destroy(pointer, owner=owner)

    @asynccontextmanager
    async def watch(self, pointer: Pointer, options: WatchOptions = FROM_NOW) -> AsyncIterator[Watch]:
        """Watch one resource. Entering raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.WATCH, *pointer))
        async with self._core.watch(pointer, options) as watch:
            yield watch

    @asynccontextmanager
    async def watch_kind(self, kind: Kind, options: WatchKindOptions = KIND_FROM_NOW) -> AsyncIterator[Watch]:
        """Watch a kind. Entering raises AccessDenied, and as the core does."""
        await self._check(Access(Verb.WATCH, *kind))
        async with self._core.watch_kind(kind, options) as watch:
            yield watch

    async def _check(self, access: Access) -> None:
        allowed = self._rule(access)
        if not (allowed if isinstance(allowed, bool) else await allowed):
            raise errors.AccessDenied(f"not allowed to {access.verb} {access.target}")


class _CoreWithTeardown(CoreState, SupportsTeardown, Protocol):
    pass


class _FilteredTeardown(Filtered):
    """Asks for every access that the one step stands for: what is allowed does not depend on what the core supports."""

    _core: _CoreWithTeardown

    async def teardown(self, pointer: Pointer, *, owner: str = "") -> bool:
        await self._check_each(_TEARDOWN, pointer, owner)
        return await self._core.teardown(pointer, owner=owner)

    async def teardown_and_destroy(self, pointer: Pointer, *, owner: str = "") -> None:
        await self._check_each(_TEARDOWN_AND_DESTROY, pointer, owner)
        await self._core.teardown_and_destroy(pointer, owner=owner)

    async def _check_each(self, verbs: Sequence[Verb], pointer: Pointer, owner: str) -> None:
        for verb in verbs:
            await self._check(Access(verb, *pointer, owner if verb in WRITES else ""))


class Clause(msgspec.Struct, frozen=True):
    """Allows or denies some accesses; None stands for any."""

    allows: bool
    verbs: frozenset[Verb] = EVERYTHING
    namespace: str | None = None
    type: str | None = None
    id: str | None = None

    def decides(self, access: Access) -> bool:
        """Tell whether the clause has a say in an access.

        What is allowed for one id is not allowed for its kind. What is denied for one id is denied for its kind, or a
        list would show it.
        """
        return (
            access.verb in self.verbs
            and self.namespace in (None, access.namespace)
            and self.type in (None, access.type)
            and (self.id in (None, access.id) or (access.id is None and not self.allows))
        )


class Policy(msgspec.Struct, frozen=True):
    """A rule made of clauses, the first that has a say decides; `default` is for what none of them speaks of.

    Who may watch a kind may watch each of its resources, whatever the clauses.
    """

    clauses: tuple[Clause, ...] = ()
    default: bool = False

    def allow(
        self,
        *,
        verbs: Collection[Verb] = EVERYTHING,
        namespace: str | None = None,
        type: str | None = None,
        id: str | None = None,
    ) -> Policy:
        """Return the policy with one more clause at its end, which allows."""
        return Policy((*self.clauses, Clause(True, frozenset(verbs), namespace, type, id)), self.default)

    def deny(
        self,
        *,
        verbs: Collection[Verb] = EVERYTHING,
        namespace: str | None = None,
        type: str | None = None,
        id: str | None = None,
    ) -> Policy:
        """Return the policy with one more clause at its end, which denies."""
        return Policy((*self.clauses, Clause(False, frozenset(verbs), namespace, type, id)), self.default)

    def __call__(self, access: Access) -> bool:
        """Tell whether an access is allowed."""
        return next((clause.allows for clause in self.clauses if clause.decides(access)), self.default)
