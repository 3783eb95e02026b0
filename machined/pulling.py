"""Images for commands that run without a node: pulled into a cache, a few at once, every failure told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import click

from machined.alone import alone_in
from machined.progress import PullBar
from talos.extensions.blobs import BlobStore
from talos.extensions.credentials import Credentials, InvalidCredentials
from talos.extensions.image import PulledImage
from talos.extensions.oci import Platform
from talos.extensions.pull import pull
from talos.extensions.pull_errors import PullError
from talos.extensions.reference import InvalidReference, Reference

if TYPE_CHECKING:
    from talos.extensions.trust import TrustPolicy

MAX_CONCURRENT_PULLS: Final = 4
MAX_CACHE_BYTES: Final = 8 * 1024**3
"""Of images kept between commands: two of the largest."""


@contextmanager
def image_cache(directory: Path | None) -> Iterator[BlobStore]:
    """Open the store in which images are kept between commands, for one command at a time. Raises OSError.

    Images that came first leave it when it grows too large.
    """
    directory = directory or default_cache()
    with alone_in(directory, what="command", option="--cache"):
        store = BlobStore(directory / "blobs")
        yield store
        store.trim(MAX_CACHE_BYTES)


def default_cache() -> Path:
    """Return where images are kept between builds, unless told."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "cosi" / "images"


def parsed(texts: Sequence[str]) -> Sequence[Reference]:
    """Read references, each given once. Raises click.ClickException with what is wrong with each."""
    references, faults = [], []
    for text in texts:
        try:
            references.append(Reference.parse(text))
        except InvalidReference as error:
            faults.append(str(error))
    faults += [f"{text}: given twice; leave one out" for text in sorted({t for t in texts if texts.count(t) > 1})]
    refuse_on(faults)
    return references


def policy_in(path: Path) -> TrustPolicy:
    """Read a trust policy. Raises InvalidPolicy, which is a ValueError, and OSError."""
    from talos.extensions.trust import MAX_POLICY_BYTES, parse_policy

    with path.open("rb") as file:
        return parse_policy(file.read(MAX_POLICY_BYTES + 1), source=str(path))


def pulled(
    references: Sequence[Reference], store: BlobStore, platform: Platform, trust: TrustPolicy | None = None
) -> Sequence[PulledImage]:
    """Bring all images into the store, a few at once. Raises click.ClickException with what is wrong with each."""
    try:
        credentials = Credentials.from_environment()
    except InvalidCredentials as error:
        raise click.ClickException(str(error)) from None
    images: dict[str, PulledImage] = {}
    faults: dict[str, str] = {}
    bar = PullBar(len(references))

    async def fetch(reference: Reference, limit: anyio.Semaphore) -> None:
        async with limit:
            say(f"pulling {reference}")
            try:
                with store.holding() as held:
                    images[reference.text] = await pull(
                        reference,
                        store,
                        platform=platform,
                        base_directory=Path.cwd(),
                        credentials=credentials,
                        progress=partial(bar.show, reference.text),
                        held=held,
                        trust=trust,
                    )
            except PullError as error:
                faults[reference.text] = str(error)

    async def fetch_all() -> None:
        limit = anyio.Semaphore(MAX_CONCURRENT_PULLS)
        async with anyio.create_task_group() as tasks:
            for reference in references:
                tasks.start_soon(fetch, reference, limit)

    anyio.run(fetch_all)
    bar.end()
    refuse_on([faults[reference.text] for reference in references if reference.text in faults])
    return [images[reference.text] for reference in references]


def refuse_on(faults: Sequence[str]) -> None:
    if faults:
        count = "one fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise click.ClickException(f"{count}\n" + "\n".join(f"  {fault}" for fault in faults))


def say(what: str) -> None:
    sys.stderr.write(f"{what}\n")
