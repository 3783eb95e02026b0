"""Says in which lines a resource is not what it should be."""

from __future__ import annotations

import difflib

from cosi.resource import goyaml
from cosi.resource.resource import AnyResource, OpaqueSpec


def shows(found: AnyResource, wanted: AnyResource) -> bool:
    """Tell whether a resource has the wanted spec, and the wanted labels if any are wanted."""
    known = type(wanted).of(found)
    labels = wanted.metadata.labels
    return bool(known.spec == wanted.spec) and (not labels or dict(known.metadata.labels) == dict(labels))


def difference(found: AnyResource | None, wanted: AnyResource) -> str:
    """Return what is wrong, for people: lines that should be there with a plus, lines that should not with a minus."""
    if found is None:
        return f"{wanted.pointer} doesn't exist; it should be\n{_indented(described(wanted))}"
    known = type(wanted).of(found)
    lines = difflib.ndiff(described(known).splitlines(), described(wanted).splitlines())
    shown = "\n".join(line for line in lines if not line.startswith("?"))
    return f"{found} is not as it should be (- is there, + should be):\n{_indented(shown)}"


def described(resource: AnyResource) -> str:
    """Return spec and labels as YAML."""
    spec = resource.spec
    text = spec.yaml if isinstance(spec, OpaqueSpec) else goyaml.dump(spec.yaml_value())
    labels = dict(resource.metadata.labels)
    return text + (goyaml.dump({"labels": labels}) if labels else "")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
