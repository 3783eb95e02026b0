"""Finds controllers and resource types by reference, by entry point, and in a directory of plain files.

    load_reference("weather.controllers:Forecast")      # package.module:Name
    load_entry_points()                                 # what installed distributions declare
    load_directory(Path("plugins"))                     # every .py file in it

A name is a controller's class, an instance of one, a Resource class, or a module; a reference without a name is a whole
module. With a controller come the Resource classes that its module knows (see `cosi.plugins.contents`). Loading runs
the code of strangers. Whatever that raises is a `Failure`, one sentence under a name, and never an exception here;
only Ctrl-C is still obeyed. It does nothing about code that doesn't come to an end.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

import cosi
from cosi.plugins.contents import AnyController, Contents, Unfit, everything_in, fit, named
from cosi.plugins.files import files_in, module_of
from cosi.resource.resource import AnyResource

CONTROLLERS_GROUP: Final = "cosi.controllers"
RESOURCES_GROUP: Final = "cosi.resources"

_REFERENCE: Final = re.compile(r"(?P<module>[^\W\d]\w*(\.\w+)*)(:(?P<name>\w+(\.\w+)*))?")
_SITE: Final = ("site-packages", "dist-packages")
_NOT_THEIRS: Final = ("<frozen ", str(Path(importlib.__file__).parent), *(str(Path(each)) for each in cosi.__path__))
"""Where a traceback goes through before and after the code that somebody plugs in."""


class Loaded(NamedTuple):
    """What was found, and where it came from."""

    origin: str
    controllers: Sequence[AnyController] = ()
    resources: Sequence[type[AnyResource]] = ()


class Failure(NamedTuple):
    """What can't be loaded, and why; `name` is as much of a name as is known."""

    name: str
    origin: str
    problem: str


Plugin = Loaded | Failure


def load_reference(reference: str) -> Plugin:
    """Load `package.module:Name`, or all of `package.module`, from the working directory or what is installed."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        problem = f"{reference!r} is no reference: write package.module:ClassName"
        return Failure(reference or "(no name)", f"reference {reference!r}", problem)

    def load() -> Contents:
        _search_working_directory()
        module = importlib.import_module(match["module"])
        return everything_in(module) if match["name"] is None else named(module, match["name"])

    return _guarded(match["name"] or match["module"], reference, load)


def load_entry_points() -> Sequence[Plugin]:
    """Load what installed distributions declare in the groups `cosi.resources` and `cosi.controllers`."""
    found: list[Plugin] = []
    for group, sort in ((RESOURCES_GROUP, "resource entry point"), (CONTROLLERS_GROUP, "entry point")):
        try:
            points = sorted(metadata.entry_points(group=group), key=lambda point: point.name)
        except Exception as error:  # a distribution whose description is damaged
            found.append(Failure(group, "installed packages", f"they can't be listed: {_sentence(error)}"))
            continue
        for point in points:
            distribution = point.dist.name if point.dist is not None else "an unknown distribution"

            def load(point: metadata.EntryPoint = point) -> Contents:
                if _REFERENCE.match(point.value) is None:
                    raise Unfit(f"{point.value!r} is no reference: write package.module:ClassName")
                module = importlib.import_module(point.module)
                return named(module, point.attr) if point.attr else fit(module, module, point.name)

            found.append(_guarded(point.name, f"{sort} {point.name} of {distribution}", load))
    return found


def load_directory(directory: Path) -> Sequence[Plugin]:
    """Load every .py file in a directory, in the order of their names."""
    try:
        files = files_in(directory)
    except (Unfit, OSError) as error:
        problem = str(error) if isinstance(error, Unfit) else f"it can't be listed: {error.strerror}"
        return [Failure(directory.name or str(directory), f"directory {directory}", problem)]
    return [_guarded(path.stem, f"file {path.name}", partial(_load_file, path)) for path in files]


def _load_file(path: Path) -> Contents:
    return everything_in(module_of(path))


def _search_working_directory() -> None:
    """Let modules in the working directory be found: after the standard library's, before what is installed."""
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        installed = (index for index, entry in enumerate(sys.path) if Path(entry).name in _SITE)
        sys.path.insert(next(installed, len(sys.path)), here)


def _guarded(name: str, origin: str, load: Callable[[], Contents]) -> Plugin:
    """Run the code of strangers: what it raises is a failure, whatever it is."""
    try:
        return Loaded(origin, *load())
    except KeyboardInterrupt:
        raise
    except Unfit as unfit:
        problem = str(unfit)
    except SystemExit:
        problem = "it calls sys.exit() when it is loaded: do that only if __name__ == '__main__'"
    except ModuleNotFoundError as error:
        problem = f"loading it failed: {_sentence(error)}: install what has {error.name}, or correct the name"
    except BaseException as error:
        problem = f"loading it failed: {_sentence(error)}"
    return Failure(name, origin, problem)


def _sentence(error: BaseException) -> str:
    """Return an error in one line, with the place in the stranger's code that it came from."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # even that is the stranger's code
        said = "its message can't be shown"
    # A syntax error says itself where it is.
    frames = [] if isinstance(error, SyntaxError) else traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(_NOT_THEIRS)]
    place = f" ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})" if theirs else ""
    return f"{type(error).__name__}: {said}{place}"
