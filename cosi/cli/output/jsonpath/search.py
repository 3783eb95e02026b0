"""What the parts of a template find: a list of values goes into each step, and a list comes out.

Evaluation follows k8s.io/client-go/util/jsonpath, with two differences. Where that depends on the random order of Go's
maps (wildcards, recursion), the order is the document's; and a range over nothing is nothing, not an error.
"""

from collections.abc import Iterable
from typing import Final, NoReturn

from cosi.cli.output.jsonpath import parts as syntax
from cosi.cli.output.record import OutputError
from cosi.resource.goyaml import Timestamp

__all__ = ["MAX_VALUES", "Search"]

MAX_VALUES = 1_000_000  # found in all steps together; `..` squares with each repetition

_GO_TYPES: Final[dict[type, str]] = {
    type(None): "<nil>",
    bool: "bool",
    int: "int",
    float: "float64",
    str: "string",
    bytes: "string",
    Timestamp: "time.Time",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


class Search:
    """One evaluation of a template, which may find so many values and no more."""

    def __init__(self, *, allow_missing: bool) -> None:
        self._allow_missing = allow_missing
        self._found = 0

    def parts(self, parts: tuple[syntax.Part, ...], value: object) -> list[list[object]]:
        """Return what each part finds in `value`, in order."""
        groups: list[list[object]] = []
        for part in parts:
            self._count(1)
            match part:
                case syntax.Text(text):
                    groups.append([text])
                case syntax.Action(steps):
                    groups.append(self._walk(steps, [value]))
                case syntax.Range(steps, body):
                    for item in self._walk(steps, [value]):
                        groups += self.parts(body, item)
        return groups

    def _walk(self, steps: tuple[syntax.Step, ...], values: list[object]) -> list[object]:
        for step in steps:
            values = self._step(step, values)
        return values

    def _step(self, step: syntax.Step, values: list[object]) -> list[object]:
        match step:
            case syntax.Field(name):
                return self._field(name, values)
            case syntax.Wildcard():
                return self._gathered(_children(value) for value in values)
            case syntax.Recursive():
                return self._gathered(self._descend(value) for value in values)
            case syntax.Slice():
                return self._gathered(_sliced(step, value) for value in values if value is not None)
            case syntax.Union(paths):
                return self._gathered(self._walk(path, values) for path in paths)
            case syntax.Filter():
                return self._gathered(self._filtered(step, value) for value in values)
            case syntax.Literal(literal):
                return [literal] if isinstance(literal, str) else [literal for _ in values]

    def _gathered(self, chunks: Iterable[list[object]]) -> list[object]:
        result: list[object] = []
        for chunk in chunks:
            self._count(len(chunk) + 1)
            result += chunk
        return result

    def _count(self, values: int) -> None:
        self._found += values
        if self._found > MAX_VALUES:
            raise OutputError(f"the template finds more than {MAX_VALUES} values")

    def _field(self, name: str, values: list[object]) -> list[object]:
        found = [value[name] for value in values if isinstance(value, dict) and name in value]
        if values and not found and not self._allow_missing:
            raise OutputError(f"{name} is not found")
        return found

    def _descend(self, value: object) -> list[object]:
        """Return `value` and everything below it that has something below itself, parents first."""
        if isinstance(value, str) and not isinstance(value, Timestamp):
            return [value] if value else []  # to Go a string has its bytes below it
        children = _children(value)
        self._count(len(children) + 1)
        below = [found for child in children for found in self._descend(child)]
        return [value, *below] if children else []

    def _filtered(self, step: syntax.Filter, value: object) -> list[object]:
        if not isinstance(value, list):
            raise OutputError(f"{_go_type(value)} is not array or slice and cannot be filtered")
        self._count(len(value))
        return [item for item in value if self._passes(step, item)]

    def _passes(self, step: syntax.Filter, item: object) -> bool:
        if not step.operator:
            try:
                return bool(self._walk(step.left, [item]))
            except OutputError:
                self._count(1)  # raises again when the search itself is exhausted
                return False
        sides = []
        for path in (step.left, step.right):
            found = self._walk(path, [item])
            if not found:
                return False
            if len(found) > 1:
                raise OutputError("can only compare one element at a time")
            sides.append(found[0])
        return _compare(sides[0], step.operator, sides[1])


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    if isinstance(value, str) and not isinstance(value, Timestamp):
        return list(value.encode(errors="replace"))
    return []


def _sliced(step: syntax.Slice, value: object) -> list[object]:
    if not isinstance(value, list):
        raise OutputError(f"{_go_type(value)} is not array or slice")
    length = len(value)
    start = step.start or 0
    start += length if start < 0 else 0
    stop = length if step.stop is None else step.stop
    if stop < 0 or (stop == 0 and step.single):
        stop += length
    if start == stop:
        return []
    if not 0 <= start < length:
        _out_of_bounds(start, length)
    if not 0 <= stop <= length:
        _out_of_bounds(stop - 1, length)
    if start > stop:
        raise OutputError(f"starting index {start} is greater than ending index {stop}")
    if step.step is not None and step.step <= 0:
        raise OutputError("step must be > 0")
    return value[start : stop : step.step or 1]


def _out_of_bounds(index: int, length: int) -> NoReturn:
    raise OutputError(f"array index out of bounds: index {index}, length {length}")


def _compare(left: object, operator: str, right: object) -> bool:
    """Compare two scalars of one type; booleans only for equality, as Go's templates do."""
    if type(left) is not type(right) and {type(left), type(right)} <= {bool, int, float, str}:
        raise OutputError("incompatible types for comparison")
    if isinstance(left, bool) and isinstance(right, bool):
        if operator not in ("==", "!="):
            raise OutputError("invalid type for comparison")
        return (left == right) == (operator == "==")
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return _ordered(operator, less=left < right, equal=left == right)
    if type(left) is str and type(right) is str:
        return _ordered(operator, less=left < right, equal=left == right)
    raise OutputError("invalid type for comparison")


def _ordered(operator: str, *, less: bool, equal: bool) -> bool:
    """Apply the operator as Go does, for which everything that is not less or equal is greater, even not-a-number."""
    verdicts = {"==": equal, "<": less, "<=": less or equal}
    return verdicts[operator] if operator in verdicts else not verdicts[{"!=": "==", ">": "<=", ">=": "<"}[operator]]


def _go_type(value: object) -> str:
    return _GO_TYPES.get(type(value), type(value).__name__)
