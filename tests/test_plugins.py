import re
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Literal

import pytest

from accel_dse import plugins
from accel_dse.errors import OptionError
from accel_dse.optimizers.random_search import RandomSearch
from accel_dse.testing import ToySimulator, toy_problem


@pytest.fixture
def another_package(monkeypatch):
    """Entry points as an installed package would declare them."""

    def declared(*, group):
        entries = {
            "toy": "accel_dse.testing:ToySimulator",
            "gone": "no_such_module:Simulator",
            "empty": "accel_dse.testing:NoSuchClass",
            "systolic": "accel_dse.testing:ToySimulator",
        }
        wanted = entries.items() if group == "accel_dse.simulators" else ()
        return [EntryPoint(name, value, group) for name, value in wanted]

    monkeypatch.setattr(plugins, "entry_points", declared)


def test_a_name_stands_for_its_class_and_the_class_for_its_name():
    assert plugins.load("optimizers", "random") is RandomSearch
    assert plugins.name_of("optimizers", RandomSearch) == "random"


def test_a_class_without_a_name_is_called_by_its_place():
    assert plugins.name_of("simulators", ToySimulator) == "accel_dse.testing:ToySimulator"


def test_another_package_adds_its_own(another_package):
    assert plugins.load("simulators", "toy") is ToySimulator
    assert plugins.name_of("simulators", ToySimulator) == "toy"
    assert "toy" in plugins.known("simulators")
    assert "toy" not in plugins.known("optimizers")


def test_another_package_cannot_take_over_a_built_in_name(another_package):
    assert plugins.known("simulators")["systolic"] == plugins.BUILT_IN["simulators"]["systolic"]


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(OptionError, match="no optimizer is named 'bo'") as caught:
        plugins.load("optimizers", "bo")
    assert caught.value.hint.startswith("known: ")
    assert "evolution" in caught.value.hint
    assert "random" in caught.value.hint


@pytest.mark.parametrize("name", ["gone", "empty"])
def test_a_plug_in_that_cannot_be_loaded_is_named(another_package, name):
    with pytest.raises(OptionError, match=f"simulator '{name}': cannot load"):
        plugins.load("simulators", name)


def test_nothing_is_imported_until_it_is_named():
    code = (
        "import sys; from accel_dse import plugins; plugins.known('optimizers'); "
        "print([m for m in sys.modules if m.startswith('accel_dse')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['accel_dse', 'accel_dse.errors', 'accel_dse.plugins']"


def takes(*, count: int = 3, share: float, goal: Literal["a", "b"] = "a", places: list[int] = ()):
    """Stands for a plug-in."""


def test_options_are_read_as_people_type_them():
    given = {"count": "4", "share": "1", "goal": "b", "places": "[1, 2]"}
    assert plugins.read_options("toy", takes, given) == {
        "count": 4, "share": 1.0, "goal": "b", "places": [1, 2]
    }  # fmt: skip
    assert plugins.read_options("toy", takes, {"share": 0.5}) == {"share": 0.5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"share": "x"}, "toy: share: must be a valid number, .* got 'x'"),
        ({"share": "nan"}, "toy: share: must be a finite number, got 'nan'"),
        ({"share": 1, "count": "3.5"}, "toy: count: must be a valid integer.* got '3.5'"),
        ({"share": 1, "goal": "c"}, "toy: goal: must be 'a' or 'b', got 'c'"),
        ({"share": 1, "counts": 3}, "toy has no option 'counts'"),
        ({"count": 3}, "toy needs the option 'share'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused(given, message):
    with pytest.raises(OptionError, match=message):
        plugins.read_options("toy", takes, given)


def test_an_unknown_option_is_answered_with_those_that_are_known():
    with pytest.raises(OptionError) as caught:
        plugins.read_options("toy", takes, {"counts": 3})
    assert caught.value.hint == "known: count, share, goal, places"
    with pytest.raises(OptionError) as caught:
        plugins.read_options("random", RandomSearch, {"counts": 3})
    assert caught.value.hint == "it has no options"


def test_what_the_package_gives_is_not_an_option():
    assert "seed" not in plugins.options(RandomSearch)
    assert "problem" not in plugins.options(RandomSearch)


@pytest.mark.parametrize(
    ("name", "options", "wrong"),
    [
        ("evolution", {"mutation": -1.0}, "evolution: mutation: expected 0 to inf, got -1"),
        ("linear_bo", {"doubts": 1e3}, "linear_bo: doubts: expected 0 to 100, got 1000"),
        ("constrained_bo", {"initial": 0}, "constrained_bo: initial: expected 1 to 10000, got 0"),
        ("p3bo", {"decay": 2.0}, "p3bo: decay: expected 0 to 1, got 2"),
    ],
)
def test_an_option_beyond_its_bounds_is_refused_with_the_bounds(name, options, wrong) -> None:
    with pytest.raises(OptionError, match=re.escape(wrong)):
        plugins.load("optimizers", name)(problem=toy_problem(), **options)
