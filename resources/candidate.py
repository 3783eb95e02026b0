"""What is desired, as far as it has come, held against what runs and what boots next: the plan, line by line.

Pure: the resources about one extension go in, and what an upgrade or a boot would do with it comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from resources.extension_image import ExtensionImage, FetchState
from resources.extension_manifest import ExtensionManifest, Verdict
from resources.extension_plan import ExtensionPlan, ExtensionPlanSpec, PlanState
from resources.extension_spec import ExtensionSpec
from talos.extensions.bootimage import BootImage as Installed
from talos.extensions.manifest import Metadata
from talos.extensions.reference import Reference

AT_THE_NEXT_BOOT: Final = "installed, activates at the next boot"
UNTIL_THE_NEXT_BOOT: Final = "stays active until the next boot, unless an upgrade before that keeps it"


class Candidate(msgspec.Struct, frozen=True):
    """A desired extension, and how far it has come."""

    id: str
    image: str
    state: PlanState
    manifest: str = ""
    message: str = ""
    metadata: Metadata | None = None
    """Set if the extension is valid."""
    request: str = ""
    """The upgrade for which the image was last looked up."""

    def waits_for(self, request: str) -> bool:
        """Tell whether it is still to be seen what an upgrade would install."""
        if self.state is PlanState.PENDING:
            return True
        fetched = self.manifest != ""
        return self.request != request and not (fetched and Reference.parse(self.image).pinned)


def candidate_of(wanted: ExtensionSpec, image: ExtensionImage | None, verdict: ExtensionManifest | None) -> Candidate:
    """Return how far a desired extension has come, from its image and what was found of that."""
    id, reference = wanted.id, wanted.spec.image
    if image is None:
        return Candidate(id, reference, PlanState.PENDING, message="waits to be fetched")
    if image.spec.attempts:
        # While it is tried again after a failure, the failure is still what there is to say.
        state = PlanState.FAILED if image.spec.failed else PlanState.PENDING
        return Candidate(id, reference, state, message=image.spec.why, request=image.spec.request)
    manifest = image.spec.manifest
    if image.spec.state is FetchState.FETCHING:
        return Candidate(id, reference, PlanState.PENDING, message="is being fetched")
    if verdict is None or verdict.spec.manifest != manifest:
        return Candidate(id, reference, PlanState.PENDING, manifest, "is being validated")
    if verdict.spec.verdict is Verdict.INVALID:
        return Candidate(id, reference, PlanState.FAILED, manifest, verdict.spec.problem, request=image.spec.request)
    metadata = Metadata.model_validate(verdict.spec.metadata.model_dump())
    staged = "activates with `machined upgrade`"
    return Candidate(id, reference, PlanState.STAGED, manifest, staged, metadata, image.spec.request)


def plans(
    candidates: Sequence[Candidate], installed: Installed | None, upcoming: Installed | None
) -> Sequence[ExtensionPlan]:
    """Return what the next upgrade, or boot, would do with each extension, wanted or installed. Pure.

    `upcoming` is the image that boots next, where it is not the one that runs.
    """
    layers = installed.layers if installed else ()
    running = {layer.extension_id: layer.manifest_digest for layer in layers}
    coming = {layer.extension_id: layer.manifest_digest for layer in upcoming.layers} if upcoming else running
    result = []
    for candidate in candidates:
        state, message = candidate.state, candidate.message
        if state is PlanState.STAGED and running.get(candidate.id) == candidate.manifest:
            same = coming.get(candidate.id) == candidate.manifest
            state, message = (
                PlanState.ACTIVE,
                "" if same else "stays active until the next boot, unless `machined upgrade` keeps it",
            )
        elif candidate.state is PlanState.STAGED and coming.get(candidate.id) == candidate.manifest:
            message = AT_THE_NEXT_BOOT
        spec = ExtensionPlanSpec(
            image=candidate.image,
            state=state,
            wanted=candidate.manifest,
            running=running.get(candidate.id, ""),
            message=message,
        )
        result.append(ExtensionPlan.new(candidate.id, spec))
    wanted = {candidate.id for candidate in candidates}
    for layer in layers:
        if layer.extension_id not in wanted:
            until = "`machined upgrade`" if layer.extension_id in coming else "the next boot"
            message = f"no longer in the config; stays active until {until}"
            spec = ExtensionPlanSpec(
                image=layer.image, state=PlanState.REMOVED, running=layer.manifest_digest, message=message
            )
            result.append(ExtensionPlan.new(layer.extension_id, spec))
    return result
