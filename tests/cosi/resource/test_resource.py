"""A resource is an immutable value that is handed to everybody without a copy."""

from __future__ import annotations

import pytest

from cosi.resource.metadata import Kind, Metadata, Pointer
from cosi.resource.resource import OpaqueSpec, Resource, Tombstone
from cosi.testing.resources import IntResource, IntSpec, PathResource, PathSpec, path


def test_a_new_resource_lies_in_the_namespace_of_its_type_unless_told() -> None:
    assert path("a").metadata.namespace == "default"
    assert PathResource.new("a", PathSpec(path="a")).metadata.namespace == "default"
    assert path("a", namespace="other").metadata.namespace == "other"
    assert PathResource.new("a", PathSpec(path="a"), namespace="").metadata.namespace == ""


def test_a_type_names_its_resources() -> None:
    assert PathResource.pointer_to("a") == Pointer("default", "Paths.test.cosi.dev", "a") == path("a").pointer
    assert PathResource.kind(namespace="other") == Kind("other", "Paths.test.cosi.dev")
    assert path("a").id == "a"
    assert str(path("a")) == "Paths.test.cosi.dev(default/a@undefined)"


def test_a_subclass_knows_its_spec() -> None:
    assert PathResource.spec_type is PathSpec
    assert IntResource.spec_type is IntSpec


@pytest.mark.parametrize("name", ["metadata", "spec", "wire", "anything"])
def test_a_resource_cannot_be_changed(name: str) -> None:
    resource = path("a")

    with pytest.raises(AttributeError, match=f"immutable.*{name}"):
        setattr(resource, name, None)
    with pytest.raises(AttributeError, match=f"immutable.*{name}"):
        delattr(resource, name)


def test_a_change_makes_another_resource_that_shares_the_rest() -> None:
    resource = path("a", labels={"b": "c"})

    respecified = resource.with_spec(PathSpec(path="/elsewhere"))
    renewed = resource.with_metadata(resource.metadata.replace(version=1))

    assert respecified.metadata is resource.metadata
    assert renewed.spec is resource.spec
    assert resource.spec.path == "a"
    assert resource.metadata.version is None


def test_resources_are_equal_if_they_say_the_same() -> None:
    assert path("a") == path("a")
    assert path("a") != path("b")
    assert path("a") != path("a").with_spec(PathSpec(path="b"))
    assert path("a") != path("a").with_metadata(path("a").metadata.replace(updated=1))
    assert path("a").equivalent(path("a").with_metadata(path("a").metadata.replace(updated=1)))
    assert path("a") != "a"


def test_a_resource_of_an_unknown_type_becomes_typed_when_somebody_knows_it() -> None:
    typed = path("a")
    opaque = Resource(typed.metadata, OpaqueSpec(typed.spec.to_proto(), "whatever"))

    assert PathResource.of(opaque) == typed
    assert PathResource.of(typed) is typed


def test_a_resource_does_not_become_what_it_is_not() -> None:
    with pytest.raises(TypeError, match=r"Paths\.test\.cosi\.dev\(default/a@undefined\) is not of type Ints\.test"):
        IntResource.of(path("a"))
    with pytest.raises(TypeError, match=r"is not of type Paths\.test"):
        PathResource.of(Tombstone.at(path("a").pointer))
    with pytest.raises(ValueError, match="not a protobuf PathSpec"):
        PathResource.of(Resource(path("a").metadata, OpaqueSpec(b"\xff", "")))


def test_a_tombstone_has_a_name_and_nothing_else() -> None:
    tombstone = Tombstone.at(Pointer("default", "Paths.test.cosi.dev", "a"))

    assert tombstone.metadata == Metadata("default", "Paths.test.cosi.dev", "a")
    assert tombstone.spec is None
