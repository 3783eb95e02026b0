"""JSONPath templates as kubectl understands them, over values that YAML gave.

Template("{.metadata.name}").execute(spec, allow_missing=True)          a column of a table
Template("{.spec.items[*].id}").find(resource, allow_missing=False)     the lines of -o jsonpath=…
"""

from cosi.cli.output.gojson import to_text
from cosi.cli.output.jsonpath.parser import parse
from cosi.cli.output.jsonpath.search import Search

__all__ = ["Template"]


class Template:
    """A parsed template, which can be applied to any number of values; OutputError if the text is malformed."""

    def __init__(self, text: str) -> None:
        self._parts = parse(text)

    def find(self, value: object, *, allow_missing: bool) -> list[list[object]]:
        """Return what each part finds, in order; a range gives the parts of its body once for each value.

        A field that no value has is nothing when missing keys are allowed, else an OutputError that names it.
        """
        return Search(allow_missing=allow_missing).parts(self._parts, value)

    def execute(self, value: object, *, allow_missing: bool) -> str:
        """Return the template filled in: what a part finds is joined by spaces, collections are JSON on one line."""
        groups = self.find(value, allow_missing=allow_missing)
        return "".join(" ".join(to_text(found, null="null") for found in group) for group in groups)
