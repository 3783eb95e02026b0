"""A registry is a value that knows types by name."""

from __future__ import annotations

import pytest

from cosi.resource.definition import Definition
from cosi.resource.registry import Registry
from cosi.resource.resource import Resource
from cosi.resource.spec import Spec
from cosi.testing.resources import IntResource, PathResource, PathSpec, StrResource, sample_registry


class _AlsoPaths(Resource[PathSpec]):
    definition = Definition(type="Paths.test.cosi.dev", default_namespace="other")


class _Malformed(Resource[PathSpec]):
    definition = Definition(type="Path.test.cosi.dev", default_namespace="default")


class _UnnumberedSpec(Spec):
    text: str = ""


class _Unnumbered(Resource[_UnnumberedSpec]):
    definition = Definition(type="Texts.test.cosi.dev", default_namespace="default")


def test_a_registered_type_is_found_by_name() -> None:
    registry = sample_registry()

    assert registry.get("Paths.test.cosi.dev") is PathResource
    assert registry.get("Strangers.test.cosi.dev") is None
    assert list(registry) == [PathResource, IntResource, StrResource]


def test_registering_a_type_again_is_harmless() -> None:
    registry = Registry([PathResource])

    registry.add(PathResource)

    assert list(registry) == [PathResource]


def test_a_name_belongs_to_one_class() -> None:
    registry = Registry([PathResource])

    with pytest.raises(ValueError, match=r"Paths\.test\.cosi\.dev is registered already, by PathResource"):
        registry.add(_AlsoPaths)

    assert registry.get("Paths.test.cosi.dev") is PathResource


def test_mistakes_in_a_type_are_found_when_it_is_registered() -> None:
    with pytest.raises(ValueError, match="should have a plural name"):
        Registry([_Malformed])
    with pytest.raises(TypeError, match=r"_UnnumberedSpec\.text has no protobuf number"):
        Registry([_Unnumbered])


def test_registries_do_not_know_of_each_other() -> None:
    Registry([PathResource])

    assert Registry().get("Paths.test.cosi.dev") is None
