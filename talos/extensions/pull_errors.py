"""Why an image could not be had: one small family, split by who must act.

    PullError
     ├─ EndpointsFailed       each of several endpoints failed, for one of the reasons below
     ├─ RegistryUnreachable   the network or the registry; usually passes by itself
     ├─ ImageNotFound         the reference names nothing
     ├─ NotAuthorized         the registry wants other credentials
     ├─ LayoutMissing         the directory of an `oci:` reference is no image layout
     ├─ PlatformMissing       the image exists, but not for this machine
     ├─ MalformedImage        what came breaks the OCI image specification
     ├─ DigestMismatch        what came is not what was promised
     ├─ TooLarge              the image goes over a bound of ours
     └─ Untrusted             no signature that the trust policy asks for speaks for the image

Every error knows the reference, the problem and the remedy, builds its message from them, and says with `transient`
whether trying again may help; `retry_after` are the seconds before which it certainly does not. No message carries a
credential.
"""

import math
from collections.abc import Sequence


class PullError(Exception):
    """An image could not be pulled."""

    transient = False
    retry_after: float | None = None

    def __init__(self, reference: str, problem: str, remedy: str) -> None:
        self.reference = reference
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{reference}: {problem}; {remedy}")


class RegistryUnreachable(PullError):
    """The registry did not answer, or answered that it cannot serve."""

    def __init__(
        self,
        reference: str,
        host: str,
        problem: str,
        *,
        remedy: str = "",
        transient: bool = True,
        retry_after: float | None = None,
    ) -> None:
        self.host = host
        self.transient = transient
        self.retry_after = retry_after
        default = "it will be tried again" if transient else "check the registry's address"
        if retry_after is not None:
            seconds = math.ceil(retry_after)
            default += f" in {seconds} {'second' if seconds == 1 else 'seconds'}, as the registry asks"
        super().__init__(reference, f"registry {host}: {problem}", remedy or default)


class ImageNotFound(PullError):
    """The registry or layout is there, the image is not."""

    def __init__(self, reference: str, place: str, selector: str) -> None:
        self.place = place
        self.selector = selector
        super().__init__(reference, f"{place} has no image {selector}", "check the name and the tag")


class NotAuthorized(PullError):
    """The registry refused the credentials, or wants some and none are known."""

    def __init__(self, reference: str, host: str, *, with_credentials: bool) -> None:
        self.host = host
        self.with_credentials = with_credentials
        if with_credentials:
            problem, remedy = f"registry {host} refused the credentials", "correct them"
        else:
            problem, remedy = f"registry {host} wants credentials, or the image does not exist", "add them"
        where = "under machine.registries.config in its config"
        super().__init__(
            reference, problem, f'{remedy} under "auths" in Docker\'s config.json, or, for a node, {where}'
        )


class EndpointsFailed(PullError):
    """Each of several endpoints was asked in vain; it passes if one of the failures does."""

    def __init__(self, reference: str, failures: Sequence[PullError]) -> None:
        self.failures = tuple(failures)
        self.transient = any(failure.transient for failure in failures)
        pauses = [failure.retry_after for failure in failures if failure.retry_after is not None]
        # Those that may be asked sooner set the time: the others are left alone meanwhile.
        self.retry_after = min(pauses) if len(pauses) == len(self.failures) else None
        problem = f"none of {len(self.failures)} endpoints has it: "
        lasting = [failure.remedy for failure in failures if not failure.transient]
        remedies = dict.fromkeys(lasting or [failure.remedy for failure in failures])
        super().__init__(
            reference, problem + "; ".join(failure.problem for failure in failures), ", or ".join(remedies)
        )


class LayoutMissing(PullError):
    """There is no OCI image layout at the path."""

    def __init__(self, reference: str, path: str, problem: str) -> None:
        self.path = path
        super().__init__(reference, f"{path} {problem}", "give the directory that holds oci-layout and index.json")


class PlatformMissing(PullError):
    """The image is not built for the platform."""

    def __init__(self, reference: str, wanted: str, available: tuple[str, ...]) -> None:
        self.wanted = wanted
        self.available = available
        instead = f"only for {', '.join(available)}" if available else "nor for any other platform"
        super().__init__(reference, f"not built for {wanted}, {instead}", "use an image built for this machine")


class MalformedImage(PullError):
    """The image breaks the OCI image specification, or uses a part of it that is no system extension."""

    def __init__(self, reference: str, problem: str) -> None:
        super().__init__(reference, problem, "rebuild the image")


class DigestMismatch(PullError):
    """Bytes came that are not those their digest or size promised."""

    def __init__(self, reference: str, expected: str, found: str) -> None:
        self.expected = expected
        self.found = found
        problem = f"expected {expected} but got {found}"
        super().__init__(reference, problem, "the source is damaged or tampered with: push the image again")


class TooLarge(PullError):
    """The image goes over a bound."""

    def __init__(self, reference: str, what: str, found: int, allowed: int) -> None:
        self.what = what
        self.found = found
        self.allowed = allowed
        super().__init__(reference, f"{what} is {found}, at most {allowed} is allowed", "use a smaller image")


class Untrusted(PullError):
    """The trust policy does not let the image pass; `rule` is the pattern that decided, empty for the default."""

    def __init__(self, reference: str, rule: str, problem: str, remedy: str, *, transient: bool = False) -> None:
        self.rule = rule
        self.transient = transient
        who = f'the trust rule "{rule}"' if rule else "the trust policy's default"
        super().__init__(reference, f"refused by {who}: {problem}", remedy)
