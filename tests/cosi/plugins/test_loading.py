"""Plug-ins are found by reference, by entry point and by file; one that can't be loaded is one sentence, no error."""

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosi.plugins.files import MAX_FILE_BYTES, MAX_FILES
from cosi.plugins.loading import (
    Failure,
    Loaded,
    Plugin,
    load_directory,
    load_entry_points,
    load_reference,
)

GREETER = """
from cosi import Definition, QTransform, Resource, Spec, field

class GreetingSpec(Spec):
    text: str = field(1, default="")

class Greeting(Resource[GreetingSpec]):
    definition = Definition(type="Greetings.plugin.example", default_namespace="default")

class Shout(Resource[GreetingSpec]):
    definition = Definition(type="Shouts.plugin.example", default_namespace="default")

class Base(QTransform[Greeting, Shout]):
    pass

class Shouter(Base):
    name = "plugin.Shouter"

    async def transform(self, runtime, source):
        return Shout.new(source.id, source.spec)

ready_made = Shouter()
"""

FAULTS = {
    "no_such_import": ("import nothing_of_this_name", "loading it failed: ModuleNotFoundError"),
    "syntax": ("class :", "loading it failed: SyntaxError"),
    "raising": ("raise RuntimeError('no')", "loading it failed: RuntimeError: no"),
    "leaving": ("import sys; sys.exit(3)", "it calls sys.exit() when it is loaded"),
    "empty": ("answer = 42", "there is neither a controller nor a Resource class in it"),
    "nameless": (
        "from cosi import Controller\nclass Odd(Controller):\n    async def run(self, runtime): pass\n",
        "Odd has no name: write name = '…' into the class",
    ),
    "demanding": (
        "from cosi import Controller\nclass Odd(Controller):\n    name = 'odd'\n"
        "    def __init__(self, wish): pass\n    async def run(self, runtime): pass\n",
        "Odd() failed: Odd.__init__() missing 1 required positional argument",
    ),
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on the path that modules are imported from; they are forgotten afterwards."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def loaded(plugin: Plugin) -> Loaded:
    assert isinstance(plugin, Loaded), plugin
    return plugin


def failure(plugin: Plugin) -> Failure:
    assert isinstance(plugin, Failure), plugin
    return plugin


def test_a_reference_brings_a_controller_and_the_types_its_module_knows(modules: Path) -> None:
    (modules / "greeter_a.py").write_text(GREETER)

    plugin = loaded(load_reference("greeter_a:Shouter"))

    assert [controller.name for controller in plugin.controllers] == ["plugin.Shouter"]
    assert [each.__name__ for each in plugin.resources] == ["Greeting", "Shout"]
    assert plugin.origin == "greeter_a:Shouter"


def test_a_reference_can_be_an_instance_or_a_resource_class(modules: Path) -> None:
    (modules / "greeter_b.py").write_text(GREETER)

    assert [one.name for one in loaded(load_reference("greeter_b:ready_made")).controllers] == ["plugin.Shouter"]
    assert [one.__name__ for one in loaded(load_reference("greeter_b:Shout")).resources] == ["Shout"]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        ("no good", "is no reference: write package.module:ClassName"),
        ("nothing_of_this_name:X", "loading it failed: ModuleNotFoundError"),
        ("greeter_c:Missing", "module greeter_c has no Missing"),
        ("greeter_c:Base", "Base is abstract: it has to define transform"),
        ("greeter_c:GreetingSpec", "is neither a controller nor a Resource class"),
    ],
)
def test_a_reference_that_leads_nowhere_says_so(modules: Path, reference: str, problem: str) -> None:
    (modules / "greeter_c.py").write_text(GREETER)

    assert problem in failure(load_reference(reference)).problem


def test_a_directory_brings_every_concrete_controller_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(GREETER)
    (tmp_path / "a.py").write_text(GREETER)
    (tmp_path / "notes.txt").write_text("no plug-in")

    plugins = [loaded(plugin) for plugin in load_directory(tmp_path)]

    assert [plugin.origin for plugin in plugins] == ["file a.py", "file b.py"]
    assert all([one.name for one in plugin.controllers] == ["plugin.Shouter"] for plugin in plugins)
    assert "a" not in sys.modules


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_file_is_one_sentence_and_the_others_are_loaded(tmp_path: Path, name: str) -> None:
    text, problem = FAULTS[name]
    (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "zz_good.py").write_text(GREETER)

    broken, good = load_directory(tmp_path)

    assert failure(broken).name == name
    assert failure(broken).problem.startswith(problem)
    assert loaded(good).controllers


def test_a_file_that_others_could_have_written_does_not_run(tmp_path: Path) -> None:
    file = tmp_path / "open.py"
    file.write_text("raise AssertionError('it ran')")
    file.chmod(file.stat().st_mode | stat.S_IWOTH)

    assert failure(load_directory(tmp_path)[0]).problem == "everybody may write to it: chmod o-w"


def test_files_and_their_number_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text("#" * (MAX_FILE_BYTES + 1))
    assert "are the most: make it a package" in failure(load_directory(tmp_path)[0]).problem

    for number in range(MAX_FILES):
        (tmp_path / f"p{number}.py").touch()
    (refused,) = load_directory(tmp_path)
    assert "are the most: make packages of them" in failure(refused).problem


def test_entry_points_say_which_distribution_they_are_of(modules: Path) -> None:
    (modules / "greeter_d.py").write_text(GREETER)
    described = modules / "stranger-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[cosi.resources]\ntypes = greeter_d\n"
        "[cosi.controllers]\nbroken = greeter_d:Missing\nshouter = greeter_d:Shouter\n"
    )

    types, broken, shouter = load_entry_points()

    assert {one.__name__ for one in loaded(types).resources} == {"Greeting", "Shout"}
    assert failure(broken).origin == "entry point broken of stranger"
    assert [one.name for one in loaded(shouter).controllers] == ["plugin.Shouter"]
