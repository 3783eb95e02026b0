"""Finds controllers and resource types by reference, by entry point, and in a directory of plain files.

    load_reference("weather.controllers:Forecast")      # package.module:Name
    load_entry_points()                                 # what installed distributions declare
    load_directory(Path("plugins"))                     # every .py file in it

A name is a controller's class, which is made without arguments, an instance of one, or a Resource class; a reference
without a name is a whole module. With a controller come the Resource classes that its module knows: its inputs and
outputs are among them. Loading runs code of strangers, and whatever that does is a `Failure` with one sentence, never
an exception here.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from cosi.controller.controller import Controller
from cosi.controller.qcontroller import QController
from cosi.resource.resource import AnyResource, Resource

CONTROLLERS_GROUP: Final = "cosi.controllers"
RESOURCES_GROUP: Final = "cosi.resources"

MAX_FILES: Final = 256
MAX_FILE_BYTES: Final = 1 << 20
"""How much a directory of plug-ins may hold: it is for files that people write."""

_REFERENCE: Final = re.compile(r"(?P<module>[\w.]+)(:(?P<name>\w+(\.\w+)*))?")
_MODULE_PREFIX: Final = "cosi_plugin_"

AnyController = Controller | QController


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


class _Unfit(Exception):
    """There is something, but nothing that could be plugged in."""


def load_reference(reference: str) -> Plugin:
    """Load `package.module:Name`, or all of `package.module`; the working directory is searched first."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        problem = f"{reference!r} is no reference; write package.module:ClassName"
        return Failure(reference, reference, problem)
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())

    def load() -> Loaded:
        module = importlib.import_module(match["module"])
        return _everything_in(module, reference) if match["name"] is None else _named(module, match["name"], reference)

    return _guarded(match["name"] or match["module"], reference, load)


def load_entry_points() -> Sequence[Plugin]:
    """Load what installed distributions declare in the groups `cosi.controllers` and `cosi.resources`."""
    found: list[Plugin] = []
    for group in (RESOURCES_GROUP, CONTROLLERS_GROUP):
        for point in sorted(metadata.entry_points(group=group), key=lambda point: point.name):
            distribution = point.dist.name if point.dist is not None else "an unknown distribution"
            origin = f"entry point {point.name} of {distribution}"

            def load(point: metadata.EntryPoint = point, origin: str = origin) -> Loaded:
                thing = point.load()
                if isinstance(thing, ModuleType):
                    return _everything_in(thing, origin)
                return _fit(thing, importlib.import_module(point.module), origin)

            found.append(_guarded(point.name, origin, load))
    return found


def load_directory(directory: Path) -> Sequence[Plugin]:
    """Load every .py file in a directory, in the order of their names. Raises OSError if it can't be listed."""
    files = sorted(path for path in directory.iterdir() if path.suffix == ".py")
    if len(files) > MAX_FILES:
        raise OSError(f"{directory} holds {len(files)} plug-ins, {MAX_FILES} are the most: split it into packages")
    return [_load_file(path) for path in files]


def _load_file(path: Path) -> Plugin:
    origin = f"file {path.name}"

    def load() -> Loaded:
        _check_file(path)
        # A name of its own, so that no file can be mistaken for a module that somebody imports.
        name = f"{_MODULE_PREFIX}{re.sub(r'[^a-zA-Z0-9]', '_', path.stem)}"
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module
        try:
            specification.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return _everything_in(module, origin)

    return _guarded(path.stem, origin, load)


def _check_file(path: Path) -> None:
    """Raise _Unfit unless only its owner, who is this user or root, can have written a file."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _Unfit("it is no plain file")
    if status.st_size > MAX_FILE_BYTES:
        raise _Unfit(f"it has {status.st_size} bytes, {MAX_FILE_BYTES} are the most: make it a package")
    if status.st_uid not in (os.getuid(), 0):
        raise _Unfit("it belongs to another user, whose code does not run here: copy it")
    if status.st_mode & stat.S_IWOTH:
        raise _Unfit("everybody may write to it: chmod o-w")


def _guarded(name: str, origin: str, load: Callable[[], Loaded]) -> Plugin:
    try:
        return load()
    except KeyboardInterrupt:
        raise
    except _Unfit as unfit:
        return Failure(name, origin, str(unfit))
    except SystemExit:
        return Failure(name, origin, "it calls sys.exit() when it is imported")
    except BaseException as error:  # whatever a stranger's code does
        return Failure(name, origin, f"importing it failed: {type(error).__name__}: {error}")


def _named(module: ModuleType, name: str, origin: str) -> Loaded:
    thing: object = module
    for part in name.split("."):
        thing = getattr(thing, part, None)
        if thing is None:
            raise _Unfit(f"module {module.__name__} has no {name}")
    return _fit(thing, module, origin)


def _fit(thing: object, module: ModuleType, origin: str) -> Loaded:
    """Return a controller or a Resource class as what it is."""
    if _is_resource_class(thing):
        return Loaded(origin, resources=(thing,))  # type: ignore[arg-type]
    controller = _controller(thing)
    if controller is None:
        kind = "an abstract class" if inspect.isabstract(thing) else f"a {type(thing).__name__}"
        raise _Unfit(f"{getattr(thing, '__name__', thing)!s} is {kind}, and neither a controller nor a Resource class")
    return Loaded(origin, (controller,), _resources_of([module]))


def _everything_in(module: ModuleType, origin: str) -> Loaded:
    """Return the controllers that a module defines, and the Resource classes that it knows."""
    instances = [thing for thing in vars(module).values() if isinstance(thing, Controller | QController)]
    # A class of which the module has made an instance itself is not made once more.
    made = {type(instance) for instance in instances}
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", None) == module.__name__]
    classes = [
        thing for thing in own if isinstance(thing, type) and thing not in made and not inspect.isabstract(thing)
    ]
    controllers = [_controller(thing) for thing in (*classes, *instances)]
    found = tuple(controller for controller in controllers if controller is not None)
    resources = _resources_of([module])
    if not found and not resources:
        raise _Unfit("there is neither a controller nor a Resource class in it")
    return Loaded(origin, found, resources)


def _controller(thing: object) -> AnyController | None:
    """Return a controller, made if it is a class; None if it is no such thing."""
    if isinstance(thing, type) and issubclass(thing, Controller | QController) and not inspect.isabstract(thing):
        made_by = thing
        try:
            thing = made_by()
        except Exception as error:
            raise _Unfit(f"{made_by.__name__}() failed: {type(error).__name__}: {error}") from error
    if not isinstance(thing, Controller | QController):
        return None
    if not getattr(thing, "name", ""):
        raise _Unfit(f"{type(thing).__name__} has no name: write name = '…' into the class")
    return thing


def _resources_of(modules: Iterable[ModuleType]) -> tuple[type[AnyResource], ...]:
    found = (thing for module in modules for thing in vars(module).values() if _is_resource_class(thing))
    return tuple(dict.fromkeys(found))


def _is_resource_class(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Resource) and hasattr(thing, "definition")
