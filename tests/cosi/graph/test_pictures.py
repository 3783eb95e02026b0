"""A graph looks the same in whatever order it comes, nothing in it overlaps, and no name breaks the picture."""

import random
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosi.graph.dot import dot
from cosi.graph.layout import Size, place
from cosi.graph.model import FEEDBACK, OUTPUTS, Controller, Edge, Graph, graph_of
from cosi.graph.svg import svg
from cosi.graph.text import text

KINDS = (*OUTPUTS, *FEEDBACK, "weak", "strong", "primary", "mapped")
SVG = "{http://www.w3.org/2000/svg}"

names = st.sampled_from([f"x.Controller{number}" for number in range(6)])
types = st.sampled_from([f"Things{number}.example.dev" for number in range(6)])
edges = st.lists(st.builds(Edge, names, st.sampled_from(KINDS), types), max_size=20)
sizes = st.dictionaries(
    st.sampled_from([f"node-{number}" for number in range(9)]),
    st.builds(Size, st.floats(10, 200), st.floats(10, 60)),
    min_size=1,
)


def graph(edges: Sequence[Edge]) -> Graph:
    return graph_of((Controller(name) for name in {edge.controller for edge in edges}), edges)


@given(edges, st.randoms(use_true_random=False))
def test_the_order_of_its_parts_does_not_matter(edges: list[Edge], dice: random.Random) -> None:
    shuffled = edges.copy()
    dice.shuffle(shuffled)

    for picture in (text, dot, svg):
        assert picture(graph(edges)) == picture(graph(shuffled))


@given(st.data(), sizes)
def test_no_two_boxes_overlap(data: st.DataObject, sizes: dict[str, Size]) -> None:
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(sorted(sizes)), st.sampled_from(sorted(sizes))), max_size=20))
    feedback = [data.draw(st.booleans()) for _ in pairs]

    placed = place(sizes, pairs, feedback, column_gap=20, row_gap=10)

    for one, other in combinations(sizes, 2):
        (x, y), (to_x, to_y) = placed.centres[one], placed.centres[other]
        apart_x = abs(x - to_x) - (sizes[one].width + sizes[other].width) / 2
        apart_y = abs(y - to_y) - (sizes[one].height + sizes[other].height) / 2
        assert apart_x >= -1e-6 or apart_y >= -1e-6
    assert len(placed.paths) == len(pairs)


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]), max_size=20))
def test_without_cycles_every_edge_leads_on(pairs: list[tuple[int, int]]) -> None:
    sizes = {f"node-{number}": Size(10, 10) for number in range(8)}
    directed = [(f"node-{source}", f"node-{target}") for source, target in pairs]

    placed = place(sizes, directed, [False] * len(directed), column_gap=20, row_gap=10)

    assert all(placed.centres[source][0] < placed.centres[target][0] for source, target in directed)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_any_name_gives_a_well_formed_picture(name: str, type: str, problem: str) -> None:
    strange = graph_of([Controller(name, problem=problem)], [Edge(name, "weak", type, "namespace", "id")])

    root = ElementTree.fromstring(svg(strange))

    assert root.tag == f"{SVG}svg"
    assert len(root.findall(f".//{SVG}rect")) == 2


def test_an_empty_graph_is_a_picture_as_well() -> None:
    ElementTree.fromstring(svg(graph_of([], [])))
    assert text(graph_of([], [])) == ""


def test_every_edge_and_its_kind_is_drawn_and_explained() -> None:
    all_kinds = graph([Edge("x.Controller", kind, f"Things{number}.x") for number, kind in enumerate(KINDS)])

    drawn = ElementTree.fromstring(svg(all_kinds))

    titles = [title.text or "" for title in drawn.iterfind(f".//{SVG}path/{SVG}title")]
    for kind in KINDS:
        assert sum(f"({kind}, " in title for title in titles) == 1
        assert kind in "".join(drawn.itertext())


def test_names_are_quoted_for_graphviz() -> None:
    quoted = dot(graph([Edge('x."quoted\\"', "exclusive", "Things.x\nnewline")]))

    assert '[label="x.\\"quoted\\\\\\""' in quoted
    assert '"type Things.x newline"' in quoted


@pytest.mark.parametrize("count", [200])
def test_a_large_graph_is_placed(count: int) -> None:
    dice = random.Random(1)
    large = graph(
        [
            Edge(f"c{number}", dice.choice(KINDS), f"T{dice.randrange(count)}.x")
            for number in range(count)
            for _ in range(4)
        ]
    )

    assert svg(large).count("<rect") >= count


def test_the_text_has_a_paragraph_for_each_controller() -> None:
    shown = text(
        graph_of(
            [Controller("x.Broken", problem="no such module"), Controller("x.Works", queue=True, origin="built in")],
            [Edge("x.Works", "primary", "Things.x", "default"), Edge("x.Works", "exclusive", "Others.x")],
        )
    )

    assert shown == (
        "x.Broken (controller)\n  does not work: no such module\n\n"
        "x.Works (queue controller, built in)\n"
        "  reads   Things.x(default/*)  primary\n"
        "  writes  Others.x  exclusive\n"
    )
