"""The dependency graph lets in who clashes with nobody, and knows who reads what."""

from __future__ import annotations

from collections.abc import Sequence

import hypothesis.strategies as st
import pytest
from hypothesis import given

from cosi.controller.dependencies import Input, InputMode, Output, OutputSharing, destroy_ready, exclusive, shared, weak
from cosi.controller.engine.graph import Clash, DependencyGraph, Edge
from cosi.resource.metadata import Kind
from cosi.testing.resources import IntResource, PathResource, StrResource

NAMES = ("a", "b", "c", "d")
TYPES = ("Ints", "Paths", "Strs")
KINDS = tuple(Kind(namespace, type) for namespace in ("here", "there") for type in TYPES)

inputs = st.lists(
    st.builds(Input, st.sampled_from(KINDS), st.sampled_from(InputMode), st.sampled_from([None, "one", "two"])),
    max_size=4,
)
outputs = st.lists(st.builds(Output, st.sampled_from(TYPES), st.sampled_from(OutputSharing)), max_size=3)
joining = st.lists(st.tuples(st.sampled_from(NAMES), inputs, outputs), max_size=8)

Member = tuple[str, Sequence[Input], Sequence[Output]]


def clashes(one: Sequence[Output], other: Sequence[Output]) -> bool:
    """Tell whether two controllers can't both be let in: each of their outputs looked at beside each."""
    return any(
        mine.type == theirs.type and OutputSharing.EXCLUSIVE in (mine.sharing, theirs.sharing)
        for mine in one
        for theirs in other
    )


@given(joining=joining)
def test_whoever_clashes_is_kept_out_and_leaves_no_trace(joining: Sequence[Member]) -> None:
    graph, members = DependencyGraph(), dict[str, Member]()
    for name, reads, writes in joining:
        if name in members or any(clashes(writes, member[2]) for member in members.values()):
            before = graph.edges(), graph.kinds()
            with pytest.raises(Clash, match=f"controller.* {name} "):
                graph.add(name, reads, writes)
            assert (graph.edges(), graph.kinds()) == before
        else:
            graph.add(name, reads, writes)
            members[name] = (name, reads, writes)

    read = {
        Edge(name, wanted.mode, wanted.kind.namespace, wanted.kind.type, wanted.id or "")
        for name, reads, _ in members.values()
        for wanted in reads
    }
    written = {
        Edge(name, output.sharing, "", output.type, "") for name, _, writes in members.values() for output in writes
    }
    assert set(graph.edges()) == read | written
    assert list(graph.edges()) == sorted(graph.edges())


@given(joining=st.lists(st.tuples(st.sampled_from(NAMES), inputs), max_size=10))
def test_readers_are_those_of_the_inputs_as_they_were_set_last(joining: Sequence[tuple[str, Sequence[Input]]]) -> None:
    graph, members = DependencyGraph(), dict[str, Sequence[Input]]()
    for name, reads in joining:
        if name in members:
            graph.set_inputs(name, reads)
        else:
            graph.add(name, reads, ())
        members[name] = reads

    for kind in KINDS:
        wanted = {(name, each) for name, reads in members.items() for each in reads if each.kind == kind}
        readers = graph.readers(kind)
        assert set(readers) == wanted
        assert len(readers) == len(wanted)
    assert graph.kinds() == {each.kind for reads in members.values() for each in reads}
    for name, reads in members.items():
        assert graph.inputs_of(name) == tuple(dict.fromkeys(reads))


def test_a_type_has_one_exclusive_writer() -> None:
    graph = DependencyGraph()
    graph.add("Books", (), (exclusive(PathResource), shared(StrResource)))
    graph.add("Tables", (), (exclusive(IntResource), shared(StrResource)))

    with pytest.raises(Clash, match=r"Desks can't write Paths\.test\.cosi\.dev \(exclusive\): Books writes it"):
        graph.add("Desks", (), (exclusive(PathResource),))
    with pytest.raises(Clash, match=r"Desks can't write Strs\.test\.cosi\.dev \(exclusive\): Books writes it \(shared"):
        graph.add("Desks", (), (exclusive(StrResource),))
    with pytest.raises(Clash, match=r"Desks can't write Ints\.test\.cosi\.dev \(shared\): Tables writes it"):
        graph.add("Desks", (), (shared(IntResource),))


def test_an_edge_says_all_there_is_to_say() -> None:
    graph = DependencyGraph()
    graph.add("Books", (weak(IntResource, id="one"), destroy_ready(StrResource)), (exclusive(StrResource),))

    assert graph.edges() == [
        Edge("Books", InputMode.DESTROY_READY, "default", "Strs.test.cosi.dev", ""),
        Edge("Books", OutputSharing.EXCLUSIVE, "", "Strs.test.cosi.dev", ""),
        Edge("Books", InputMode.WEAK, "default", "Ints.test.cosi.dev", "one"),
    ]
