from dataclasses import replace

import numpy as np

from accel_dse.expressions import Expression
from accel_dse.parameters import Categorical, Ordinal, Permutation
from accel_dse.space import DesignSpace
from accel_dse.surrogates.inputs import Inputs

SPACE = DesignSpace(
    "small",
    (
        Ordinal("pes", (1, 2, 4, 8), scale="log"),
        Ordinal("wired", (3,)),
        Categorical("flow", ("a", "b")),
    ),
    (),
    {"log_pes": Expression("log2(pes)"), "always": Expression("wired * 2")},
)


def test_parameters_are_encoded_and_features_scaled_to_the_unit_cube():
    inputs = Inputs(SPACE)
    columns = SPACE.columns(
        [{"pes": 1, "wired": 3, "flow": "a"}, {"pes": 4, "wired": 3, "flow": "b"}]
    )
    found = inputs.of(columns)
    np.testing.assert_allclose(found, [[0, 1, 0, 0], [2 / 3, 0, 1, 2 / 3]])
    assert inputs.width == 4, "what never varies is no input"


def test_features_can_be_the_only_inputs_or_none():
    columns = SPACE.columns([{"pes": 8, "wired": 3, "flow": "a"}])
    np.testing.assert_allclose(Inputs(SPACE, features_only=True).of(columns), [[1.0]])
    np.testing.assert_allclose(Inputs(SPACE, features=False).of(columns), [[1, 1, 0]])


def test_a_space_of_one_design_still_has_an_input():
    single = DesignSpace("single", (Ordinal("wired", (3,)),))
    inputs = Inputs(single)
    assert inputs.width == 1
    assert inputs.of(single.columns([{"wired": 3}])).shape == (1, 1)


LOOPS = DesignSpace(
    "loops",
    (Permutation("outer", ("k", "c", "p")), Permutation("inner", ("k", "c", "p"))),
    (),
    {"k_stays": Expression("position(outer, 'k') > position(outer, 'c')")},
)


def test_an_order_counts_by_what_features_tell_of_it_alone():
    inputs = Inputs(LOOPS)
    columns = LOOPS.columns(
        [
            {"outer": ("k", "c", "p"), "inner": ("k", "c", "p")},
            {"outer": ("p", "k", "c"), "inner": ("k", "c", "p")},
            {"outer": ("c", "k", "p"), "inner": ("k", "c", "p")},
        ]
    )
    found = inputs.of(columns)
    assert inputs.merges
    assert (found[0] == found[1]).all(), "what k stays inside of is the same"
    assert (found[0] != found[2]).any()
    assert inputs.width == 4, "no feature tells of the inner order: it is an input itself"


def test_an_order_is_an_input_where_the_features_that_read_it_tell_nothing():
    features = {"silent": Expression("position(outer, 'k') * 0")}
    inputs = Inputs(replace(LOOPS, features=features))
    assert not inputs.merges
    assert inputs.width == 6


def test_an_order_is_an_input_where_features_are_not():
    inputs = Inputs(LOOPS, features=False)
    assert not inputs.merges
    assert inputs.width == 6
    assert not Inputs(SPACE).merges


def test_designs_with_other_values_of_what_is_fixed_have_inputs_too():
    free = DesignSpace("free", (Ordinal("pes", (1, 2, 4)), Ordinal("tile", (1, 2, 3))))
    waves = {"waves": Expression("tile / pes")}
    here = replace(free, parameters=(Ordinal("pes", (2,)), free.parameters[1]), features=waves)
    inputs = Inputs(here)
    own = {"pes": np.array([2, 2]), "tile": np.array([1, 3])}
    np.testing.assert_allclose(inputs.of_others(own), inputs.of(own))
    found = inputs.of_others({**own, "pes": np.array([4, 1])})
    np.testing.assert_allclose(found[:, 0], inputs.of(own)[:, 0])  # the tile
    np.testing.assert_allclose(found[:, 1], [-0.25, 2.5])  # waves: 0.25 and 3, here 0.5 to 1.5
