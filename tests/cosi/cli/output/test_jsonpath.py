"""JSONPath templates find what kubectl's find, and refuse what they cannot mean."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosi.cli.output import OutputError
from cosi.cli.output.jsonpath import Template
from cosi.resource import goyaml
from tests.cosi.cli.output.samples import GVISOR, printed

DATA = goyaml.load("""
name: n
num: 12
flag: true
nothing: null
when: 2024-01-01
letters: [x, y, z]
none: []
nest: {a: {b: {c: 1, name: deep}}}
items:
  - {name: c1, image: i1, n: 1, l: [1, 2, 3]}
  - {name: c2, image: i2, n: 2, l: []}
  - {name: c3, n: 3, f: 2.5}
a.b: dotted
a-b/c: slash
""")

TOKENS = st.sampled_from(
    [
        *"{}.[]*'\"\\)@<1:,x $",
        "{.",
        "..",
        "name",
        "items",
        "letters",
        "?(",
        "[?(@.",
        "==",
        "-1",
        "{range ",
        "{end}",
        "true",
    ]
)


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{.name}", "n"),
        ("name: {.name}, {.num}", "name: n, 12"),
        ("{$.name}{@.name}{ .name }", "nnn"),
        ("{['name']}", "n"),
        ("{.a-b/c}", "slash"),
        (r"{.a\.b}", "dotted"),
        (r"{['a\.b']}", "dotted"),
        ("{.letters[*]}", "x y z"),
        ("{.letters}", '["x","y","z"]'),
        ("{.letters[0]}{.letters[-1]}", "xz"),
        ("{.letters[1:]}", "y z"),
        ("{.letters[:-1]}", "x y"),
        ("{.letters[::2]}", "x z"),
        ("{.letters[0,2]}", "x z"),
        ("{.none[*]}", ""),
        ("{.nothing.x}{.nothing[0]}", ""),
        ("{.nest.*.*.c}", "1"),
        ("{.nest..name}", "deep"),
        ("{.items[*]['name','image']}", "c1 c2 c3 i1 i2"),
        ('{.items[?(@.name=="c2")].image}', "i2"),
        ("{.items[?(@.n>1)].name}", "c2 c3"),
        ("{.items[?(@.n>=2)].name}", "c2 c3"),
        ("{.items[?(@.n<2)].name}", "c1"),
        ("{.items[?(@.n<=2)].name}", "c1 c2"),
        ("{.items[?(@.n!=2)].name}", "c1 c3"),
        ("{.items[?(@.f)].name}", "c3"),
        ("{.items[0:1]['n']}", "1"),
        ("{.items[0].l[?(@>1)]}", "2 3"),
        ("{.items[?(@.name==')')]}", ""),
        ('{range .items[*]}{.name}={.n}{"\\n"}{end}', "c1=1\nc2=2\nc3=3\n"),
        ("{range .items[*]}{.name}:{range .l[*]}<{@}>{end};{end}.", "c1:<1><2><3>;c2:;c3:;."),
        ("{range .none[*]}{.x}{end}done", "done"),
        ("{1} {-2.5} {true} {'q'}", "1 -2.5 true q"),
        (r'{"\x41\101\u00e9\t\""}', 'AAé\t"'),
        ("{.nothing}", "null"),
        ("{.when}", '"2024-01-01T00:00:00Z"'),
        ("{.missing}|{.num.x}|{.letters.x}", "||"),
        ("}", "}"),
        ("", ""),
    ],
)
def test_a_template_is_filled_as_kubectl_fills_it(template: str, filled: str) -> None:
    assert Template(template).execute(DATA, allow_missing=True) == filled


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{.name", "unclosed action"),
        ("{.letters[0}", "unterminated array"),
        ("{.letters[x]}", "invalid array index x"),
        ("{.letters[-]}", "array index - is not a number"),
        ('{["name"]}', 'invalid array index "name"'),
        ("{.items[?(@.n}", "unterminated filter"),
        ("{.items[?(@.n)}", "unclosed array expect ]"),
        ("{.items[?(@.n===1)]}", "unrecognized filter operator ==="),
        ("{'name}", "unterminated quoted string"),
        (r'{"\q"}', 'unquote string "\\q" error invalid syntax'),
        (r"""{'\"'}""", """unquote string '\\"' error invalid syntax"""),
        ("{..*}", "unrecognized character in action: U+002A '*'"),
        ("{....}", "invalid multiple recursive descent"),
        ("{1.2.3}", "cannot parse number 1.2.3"),
        ("{name}", "unrecognized identifier name"),
        ("{.name}{end}", "not in range, nothing to end"),
        ("{range .items[*]}{.name}", "unterminated range, expect {end}"),
        ("{range .x}" * 17 + "{end}" * 17, "ranges nest deeper than 16 levels"),
        ("x" * 4097, "a template of 4097 characters is longer than 4096"),
    ],
)
def test_a_malformed_template_is_refused_when_it_is_made(template: str, message: str) -> None:
    with pytest.raises(OutputError) as refusal:
        Template(template)

    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{.missing}", "missing is not found"),
        ("{.items[*].missing}", "missing is not found"),
        ("{.letters[3]}", "array index out of bounds: index 3, length 3"),
        ("{.letters[0:9]}", "array index out of bounds: index 8, length 3"),
        ("{.letters[2:1]}", "starting index 2 is greater than ending index 1"),
        ("{.letters[::-1]}", "step must be > 0"),
        ("{.name[0]}", "string is not array or slice"),
        ("{.nest[?(@.x)]}", "map[string]interface {} is not array or slice and cannot be filtered"),
        ("{.items[?(@.n=='1')]}", "incompatible types for comparison"),
        ("{.items[?(@.l==1)]}", "invalid type for comparison"),
        ("{.items[?(@.l[0]==1)]}", "array index out of bounds: index 0, length 0"),
        ("{.items[?(@.*=='c1')]}", "can only compare one element at a time"),
    ],
)
def test_what_cannot_be_found_is_an_error_when_keys_may_not_be_missing(template: str, message: str) -> None:
    with pytest.raises(OutputError) as refusal:
        Template(template).find(DATA, allow_missing=False)

    assert str(refusal.value) == message


@settings(max_examples=500, deadline=None)
@given(st.lists(TOKENS, max_size=10).map("".join) | st.text(max_size=20), st.booleans())
def test_any_template_is_filled_or_refused(text: str, allow_missing: bool) -> None:
    with contextlib.suppress(OutputError):
        Template(text).execute(DATA, allow_missing=allow_missing)


def test_a_search_that_grows_without_end_is_refused() -> None:
    deep: object = 0
    for _ in range(goyaml.MAX_DEPTH):
        deep = {"a": deep}

    with pytest.raises(OutputError, match="finds more than 1000000 values"):
        Template("{..a..a..a..a}").find(deep, allow_missing=True)


def test_findings_are_lines_with_collections_as_indented_json() -> None:
    assert printed("jsonpath={.metadata.version}{.spec.metadata.name}", (GVISOR, "created")) == "1\ngvisor\n"
    assert printed("jsonpath={.spec.metadata.compatibility}", (GVISOR, "created")) == (
        '{\n    "talos": {\n        "version": "\\u003e= v1.0.0"\n    }\n}\n'
    )
    assert printed("jsonpath={.node}{.event}", (GVISOR, "updated"), with_events=True) == "172.20.0.2\nupdated\n"
    assert printed("jsonpath={.metadata.owner}", (GVISOR._replace(owner=""), "created")) == "<nil>\n"
    assert printed("jsonpath={.metadata.created}", (GVISOR, "created")) == '"2022-02-10T18:25:04Z"\n'


def test_a_missing_key_is_an_error_that_names_it() -> None:
    with pytest.raises(OutputError) as refusal:
        printed("jsonpath={.spec.nope}", (GVISOR, "created"))

    assert str(refusal.value) == "error finding result for jsonpath: nope is not found"


def test_a_finding_that_is_no_json_is_refused_after_those_before_it() -> None:
    with pytest.raises(OutputError) as refusal:
        printed("jsonpath={.spec.a}{.spec.b}", (GVISOR._replace(yaml_spec="a: 1\nb: [.nan]\n"), "created"))

    assert str(refusal.value) == (
        "error generating jsonpath results: cannot print .0 as JSON: NaN is not a JSON number"
    )
