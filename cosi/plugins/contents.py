"""What a module holds that can be plugged in: controllers, ready to run, and Resource classes.

A controller's class is made without arguments; an instance is taken as it is. A controller declares its inputs and
outputs by type names, so the Resource classes come with it: those known by name in the module that it was found in and
in the modules that its class and its bases are written in. What does not fit raises `Unfit`: one sentence that says
what is wrong and what to do.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Final, NamedTuple, TypeGuard

from cosi.controller.controller import Controller
from cosi.controller.dependencies import Input, Output
from cosi.controller.qcontroller import QController
from cosi.resource.definition import Definition
from cosi.resource.resource import AnyResource, Resource

MAX_SUGGESTIONS: Final = 8
"""How many names of a module are suggested where one was asked for that it doesn't have."""

AnyController = Controller | QController


class Unfit(Exception):
    """There is something, but nothing that could be plugged in."""


class Contents(NamedTuple):
    """What can be plugged in."""

    controllers: Sequence[AnyController] = ()
    resources: Sequence[type[AnyResource]] = ()


def named(module: ModuleType, name: str) -> Contents:
    """Return what a dotted name in a module stands for. Raises Unfit."""
    thing: object = module
    for part in name.split("."):
        if not hasattr(thing, part):
            raise Unfit(f"module {module.__name__} has no {name}: {_suggestion(module)}")
        thing = getattr(thing, part)
    return fit(thing, module, name)


def fit(thing: object, module: ModuleType, name: str) -> Contents:
    """Return a controller, a Resource class or a module that was found in `module` as what it is. Raises Unfit."""
    if isinstance(thing, ModuleType):
        return everything_in(thing)
    if _is_resource_class(thing):
        return Contents(resources=(_checked(thing),))
    if _is_controller_class(thing):
        if inspect.isabstract(thing):
            missing = ", ".join(sorted(thing.__abstractmethods__))
            raise Unfit(f"{name} is abstract: it has to define {missing}")
        thing = _made(thing)
    if not _is_controller(thing):
        raise Unfit(f"{name} is neither a controller nor a Resource class")
    return Contents((_declared(thing),), _resources_of((module, *_modules_of(thing))))


def everything_in(module: ModuleType) -> Contents:
    """Return the controllers that a module defines, and the Resource classes that it knows. Raises Unfit.

    A class of which the module has made an instance itself is not made once more, and an abstract one is a base.
    """
    things = list({id(thing): thing for thing in vars(module).values()}.values())
    instances = [thing for thing in things if _is_controller(thing)]
    done = {type(instance) for instance in instances}
    classes = [
        thing
        for thing in things
        if _is_controller_class(thing)
        and thing.__module__ == module.__name__
        and thing not in done
        and not inspect.isabstract(thing)
    ]
    controllers = tuple(_declared(controller) for controller in (*map(_made, classes), *instances))
    resources = _resources_of((module, *(each for controller in controllers for each in _modules_of(controller))))
    if not controllers and not resources:
        raise Unfit("there is neither a controller nor a Resource class in it: define one, or leave it out")
    return Contents(controllers, resources)


def _made(controller_class: type[AnyController]) -> AnyController:
    try:
        return controller_class()
    except TypeError as error:
        raise Unfit(
            f"{controller_class.__name__}() failed: {error}: it has to do without arguments, or make an instance in "
            "the module and name that"
        ) from error


def _declared(controller: AnyController) -> AnyController:
    """Return a controller if an engine can read what it declares."""
    made_by = type(controller).__name__
    name: object = getattr(controller, "name", "")
    if not isinstance(name, str) or not name:
        raise Unfit(f"{made_by} has no name: write name = '…' into the class")
    _check_declarations(made_by, "inputs", controller.inputs, Input, "weak(…), primary(…) or the like")
    _check_declarations(made_by, "outputs", controller.outputs, Output, "exclusive(…) or shared(…)")
    if isinstance(controller, QController) and not isinstance(controller.concurrency, int):
        raise Unfit(f"{made_by}.concurrency is {controller.concurrency!r}: write a whole number")
    return controller


def _check_declarations(made_by: str, what: str, declared: object, wanted: type, remedy: str) -> None:
    # One declaration in parentheses is a tuple too: its own fields.
    if isinstance(declared, wanted):
        raise Unfit(f"{made_by}.{what} is a single one, not a sequence: put a comma after it")
    if not isinstance(declared, Sequence):
        raise Unfit(f"{made_by}.{what} is a {type(declared).__name__}: write a tuple of {remedy}")
    for each in declared:
        if not isinstance(each, wanted):
            raise Unfit(f"{made_by}.{what} holds {_called(each)} as it is: declare it by {remedy}")


def _modules_of(controller: AnyController) -> Iterable[ModuleType]:
    known = (sys.modules.get(each.__module__) for each in type(controller).__mro__)
    return (module for module in known if module is not None)


def _resources_of(modules: Iterable[ModuleType]) -> tuple[type[AnyResource], ...]:
    found = (thing for module in modules for thing in vars(module).values() if _is_resource_class(thing))
    return tuple(map(_checked, dict.fromkeys(found)))


def _checked(resource_class: type[AnyResource]) -> type[AnyResource]:
    """Return a Resource class if a registry can read it."""
    name = resource_class.__name__
    if not isinstance(resource_class.definition, Definition):
        raise Unfit(f"{name}.definition is a {type(resource_class.definition).__name__}: write Definition(type=…, …)")
    if not hasattr(resource_class, "spec_type"):
        raise Unfit(f"{name} has no spec: write class {name}(Resource[ItsSpec])")
    return resource_class


def _suggestion(module: ModuleType) -> str:
    names = [
        name
        for name, thing in vars(module).items()
        if _is_controller(thing) or _is_resource_class(thing) or _is_controller_class(thing)
    ]
    if module.__name__.partition(".")[0] in sys.stdlib_module_names:
        return "it is the standard library's, so give yours another name"
    return f"it has {', '.join(names[:MAX_SUGGESTIONS])}" if names else "there is nothing in it that could be meant"


def _called(thing: object) -> str:
    return thing.__name__ if isinstance(thing, type) else f"a {type(thing).__name__}"


# By `type` and not by `isinstance`, which asks the thing itself: what stands for something else may do anything then.
def _is_controller(thing: object) -> TypeGuard[AnyController]:
    return issubclass(type(thing), Controller | QController)


def _is_controller_class(thing: object) -> TypeGuard[type[AnyController]]:
    return issubclass(type(thing), type) and issubclass(thing, Controller | QController)  # type: ignore[arg-type]


def _is_resource_class(thing: object) -> TypeGuard[type[AnyResource]]:
    return issubclass(type(thing), type) and issubclass(thing, Resource) and hasattr(thing, "definition")  # type: ignore[arg-type]
