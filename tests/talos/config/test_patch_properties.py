"""What holds of every patch and every config."""

import json

from hypothesis import given
from hypothesis import strategies as st

from talos import yaml_writer
from talos.config.faults import ConfigError
from tests.talos.config.patched import patched, values

names = st.sampled_from(["machine", "install", "certSANs", "a", "b"])
single = st.booleans() | st.integers(-9, 9) | st.sampled_from(["x", "y", "1", "yes", ""])
mappings = st.recursive(
    st.dictionaries(names, single, max_size=3),
    lambda below: st.dictionaries(names, below | single, max_size=3),
    max_leaves=12,
)
with_lists = st.recursive(
    st.dictionaries(names, single | st.lists(single, max_size=3), max_size=3),
    lambda below: st.dictionaries(names, below | single | st.lists(single, max_size=3), max_size=3),
    max_leaves=12,
)


def written(value: object) -> str:
    return yaml_writer.write(yaml_writer.node_of(value))


@given(with_lists)
def test_a_patch_that_says_nothing_changes_no_byte(config: dict[str, object]) -> None:
    assert patched("version: null", config=written(config)) == written(config)


@given(mappings, mappings)
def test_merging_twice_is_merging_once(config: dict[str, object], patch: dict[str, object]) -> None:
    try:
        once = patched(written(patch), config=written(config))
    except ConfigError:
        return  # a mapping met a single value: told in a test of its own

    assert patched(written(patch), config=once) == once


@given(with_lists, with_lists)
def test_what_a_patch_does_not_mention_stays(config: dict[str, object], patch: dict[str, object]) -> None:
    try:
        (result,) = values(patched(written(patch), config=written(config)))
    except ConfigError:
        return

    assert isinstance(result, dict)
    assert {key: value for key, value in result.items() if key not in patch} == {
        key: value for key, value in config.items() if key not in patch
    }


@given(with_lists, with_lists)
def test_a_json_patch_of_the_whole_is_the_whole(config: dict[str, object], value: dict[str, object]) -> None:
    patch = json.dumps([{"op": "replace", "path": "", "value": value}])

    assert values(patched(patch, config=written(config))) == [value]
