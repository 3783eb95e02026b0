"""PullRequest: somebody wants the images that could not be had to be tried again now."""

from __future__ import annotations

from typing import Final

from cosi.resource.definition import Definition, PrintColumn
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec, field
from resources import names

ID: Final = "images"


class PullRequestSpec(Spec):
    """`request` is different each time, so that asking again is noticed."""

    request: str = field(1, default="")


class PullRequest(Resource[PullRequestSpec]):
    """The last pull that was asked for."""

    definition = Definition(
        type=f"PullRequests.{names.DOMAIN}",
        default_namespace=names.RUNTIME,
        columns=(PrintColumn("Request", "{.request}"),),
    )
