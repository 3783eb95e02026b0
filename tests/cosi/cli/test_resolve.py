"""A word means a type by its id or any alias, whatever the case, and never two."""

import pytest

from cosi.cli.resolve import Registered, resolve

STATUSES = Registered(
    "extensionstatuses.runtime.talos.dev", "ExtensionStatuses.runtime.talos.dev", "ExtensionStatus", "runtime",
    ("extensionstatuses", "extensionstatuses.runtime", "extensions", "extensionstatus", "es"), (),
)  # fmt: skip
SPECS = Registered("etcdspecs.etcd.talos.dev", "EtcdSpecs.etcd.talos.dev", "EtcdSpec", "etcd", ("etcdspecs", "es"), ())


@pytest.mark.parametrize("word", ["extensions", "EXTENSIONS", "extensionStatuses.runtime", STATUSES.id, STATUSES.type])
def test_a_word_is_resolved(word: str) -> None:
    assert resolve(word, [STATUSES, SPECS]) is STATUSES


def test_an_unknown_word_says_where_to_look() -> None:
    with pytest.raises(LookupError, match=r'^resource "pods" is not registered \(`cosi get rd` lists all types'):
        resolve("pods", [STATUSES, SPECS])


def test_a_word_with_two_meanings_names_both() -> None:
    with pytest.raises(LookupError) as ambiguous:
        resolve("es", [STATUSES, SPECS])

    assert str(ambiguous.value) == f'resource type "es" is ambiguous: [{STATUSES.id} {SPECS.id}]'
