import numpy as np
import pytest

from accel_dse.choices import MOST_LISTED, choices_of
from accel_dse.coding import Coding
from accel_dse.constraints import Constraint
from accel_dse.errors import DesignError
from accel_dse.expressions import Expression
from accel_dse.files import load_space
from accel_dse.mapping_space import mapping_space
from accel_dse.moves import exchanged
from accel_dse.parameters import (
    Categorical,
    Factorization,
    Integer,
    Ordinal,
    Permutation,
    Real,
)
from accel_dse.shared_formulas import SharedFormulas, UnsuitedError
from accel_dse.space import DesignSpace
from accel_dse.template import read_template
from accel_dse.workloads.load import load

PARAMETERS = (
    Ordinal("pes", (1, 2, 4, 8)),
    Ordinal("word_bits", (16,)),
    Factorization("k", 48, 3),
    Permutation("order", ("k", "c", "p")),
    Categorical("dataflow", ("ws", "os")),
    Integer("rows", 0, 3 * MOST_LISTED),
    Real("clock", 0.5, 2.0),
)
SPACE = DesignSpace("mixed", PARAMETERS)
CODING = Coding(PARAMETERS)
FORMULAS = [
    "pes * word_bits + k[0] - k[-1] / 3",
    "prod(k[1:]) * pes <= 64",
    "prod(k[:2]) * pes <= 64 or not rows > 7",
    "1 < pes <= k[1] <= 12",
    "position(order, 'c') * (k[1] > 1) + max(pes, k[2], 3)",
    "where(position(order, 'k') < position(order, 'p'), pes ** 2, log2(k[0]))",
    "dataflow == 'ws' and rows % 7 // 2 == 1",
    "dataflow != 'os' if pes > 2 else clock > 1",
    "pes in (2, 8) or k[0] not in (1, 3)",
    "ceil_div(rows, pes) - ceil(clock * sum(k)) + min(k) + -abs(2 - pes)",
    "(pes > 1) + (pes > 2) + True",
    "(not pes > 1) + (not rows > 7) + (not k[0] > 3)",
    "word_bits * 4",
]


@pytest.mark.parametrize("count", [1, 50, 5_000])
def test_formulas_evaluated_together_have_the_values_that_each_has(count):
    columns = SPACE.sample_columns(count, np.random.default_rng(0))
    expressions = [Expression(text) for text in FORMULAS]
    shared = SharedFormulas(expressions, {p.name: choices_of(p) for p in PARAMETERS})
    values = shared.evaluate(CODING.coded(columns))
    for expression, found in zip(expressions, values):
        expected = expression.evaluate(columns)
        assert found.shape == (count,)
        assert (found == expected).all(), expression
    held = shared.all_hold(CODING.coded(columns))
    assert (held == np.all([e.evaluate(columns) != 0 for e in expressions], axis=0)).all()


def test_nothing_is_said_where_a_term_has_no_finite_value():
    shared = SharedFormulas(
        [Expression("pes / rows < 1")], {p.name: choices_of(p) for p in PARAMETERS}
    )
    columns = SPACE.sample_columns(3, np.random.default_rng(0)) | {"rows": np.array([1, 0, 2])}
    with pytest.raises(FloatingPointError):
        shared.evaluate(CODING.coded(columns))


def test_what_a_choice_does_not_reach_may_have_no_value():
    guarded = [Constraint(Expression("rows == 0 or pes / rows < 1"))]
    columns = SPACE.sample_columns(3, np.random.default_rng(0)) | {"rows": np.array([99, 0, 1])}
    coding = Coding(PARAMETERS, guarded, {"ratio": Expression("pes / rows if rows > 0 else -1")})
    coded = coding.coded(columns)
    assert coding.satisfied(coded).tolist()[:2] == [True, True]
    assert coding.feature_values(coded)["ratio"][1] == -1
    bare = Coding(PARAMETERS, [Constraint(Expression("pes / rows < 99"))])
    with pytest.raises(DesignError, match="no finite value"):
        bare.satisfied(coded)
    assert bare.possible(coded)[1]


@pytest.mark.parametrize("text", ["order == 'k'", "dataflow + 1", "k * 2", "prod(pes)"])
def test_a_formula_without_meaning_is_left_to_its_own_error(text):
    with pytest.raises(UnsuitedError):
        SharedFormulas([Expression(text)], {p.name: choices_of(p) for p in PARAMETERS})


def test_coded_designs_decode_encode_and_vary_as_plain_ones():
    columns = SPACE.sample_columns(20, np.random.default_rng(1))
    coded = CODING.coded(columns)
    assert all((CODING.columns(coded)[name] == columns[name]).all() for name in columns)
    assert (CODING.encoded(coded) == SPACE.encode_columns(columns)).all()
    varied, origin = CODING.neighbors(coded)
    expected, expected_origin = exchanged(PARAMETERS, columns)
    assert (origin == expected_origin).all()
    decoded = CODING.columns(varied)
    assert sorted(map(str, SPACE.designs(decoded))) == sorted(map(str, SPACE.designs(expected)))


def test_a_mutated_coded_design_differs_and_belongs_to_its_space():
    columns = SPACE.sample_columns(300, np.random.default_rng(2))
    mutated = CODING.columns(CODING.mutated(CODING.coded(columns), 0.2, np.random.default_rng(3)))
    before, after = SPACE.designs(columns), SPACE.designs(mutated)
    assert all(a != b for a, b in zip(before, after))
    assert all(design in SPACE for design in after)
    assert all((mutated[p.name] != columns[p.name]).any() for p in PARAMETERS if p.count > 1)


def test_constraints_and_features_of_mappings_are_the_same_in_coded_form():
    file = load_space("eyeriss_168")
    space = mapping_space(file.space, read_template(file.accelerator, file.space), load("dqn_k"))
    drawn = space.draw_columns(3_000, np.random.default_rng(0))
    assert (space.coding.satisfied(space.coding.coded(drawn)) == space.satisfied(drawn)).all()
    valid = space.sample_columns(40, np.random.default_rng(0))
    expected = space.feature_values(valid)
    for name, values in space.coding.feature_values(space.coding.coded(valid)).items():
        assert (values == expected[name]).all(), name
