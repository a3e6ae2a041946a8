"""A power law is found, and holds for values that no example has."""

import numpy as np

from accel_dse.parameters import Categorical, Factorization, Ordinal
from accel_dse.surrogates import trend

PES = Ordinal("pes", (1, 2, 4, 8, 16), scale="log")
NAME = Categorical("name", ("a", "b"))
SIZES = (*PES.fields, *NAME.fields)
LINES = (*PES.lines, *NAME.lines)


def designs(n=200, most=5, seed=0):
    """Choices of both fields, without the largest numbers of elements."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(most, size=n), rng.integers(2, size=n)])


def test_a_power_law_holds_for_values_that_were_never_seen():
    seen = designs(most=3)
    cost = -0.5 * np.log(np.array(PES.values)[seen[:, 0]])
    table = trend.fitted(SIZES, LINES, seen, cost[:, None].astype(np.float32))
    expected = -0.5 * np.log(np.array(PES.values))
    assert np.allclose(table[:5, 0], expected, atol=0.05)


def test_what_has_no_order_adds_nothing():
    table = trend.fitted(SIZES, LINES, designs(), np.ones((200, 1), np.float32))
    assert np.allclose(table[:5], 1.0)
    assert not table[5:].any()


def test_without_any_order_there_is_no_trend():
    table = trend.fitted((2, 2), ((), ()), designs(most=2), np.ones((200, 1), np.float32))
    assert table.shape == (4, 1)
    assert not table.any()


def test_numbers_lie_on_a_line_by_their_ratio():
    assert np.allclose(PES.lines, [[-1.0, -0.5, 0.0, 0.5, 1.0]])
    assert NAME.lines == ((),)
    assert np.allclose(Factorization("tile", 4, 2).lines, [[-1.0, 0.0, 1.0]] * 2)
    assert Ordinal("one", (3,)).lines == ((-1.0,),)
    assert Ordinal("signed", (-1, 0, 3)).lines == ((-1.0, -0.5, 1.0),)
