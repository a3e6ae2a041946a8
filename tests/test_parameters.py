import itertools
import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.errors import DesignError
from accel_dse.parameters import (
    Categorical,
    Factorization,
    Integer,
    Ordinal,
    Permutation,
    Real,
)

COUNTABLE = [
    Ordinal("pes", (1, 2, 4, 6, 8, 32), "log"),
    Ordinal("clock", (0.25, 1, 1.5)),
    Ordinal("one", (7,)),
    Integer("banks", 1, 16),
    Integer("offset", -6, 9, 3),
    Integer("words", 1, 1000, 1, "log"),
    Categorical("dataflow", ("ws", "os", "is")),
    Categorical("option", (2, 1)),
    Permutation("order", ("K", "C", "P", "Q")),
    Permutation("alone", ("K",)),
    Factorization("split", 24, 3),
    Factorization("prime", 7, 2),
    Factorization("unit", 1, 3),
    Factorization("whole", 12, 1),
    Factorization("ragged", 10, 3, ragged=True),
    Factorization("ragged_pair", 7, 2, ragged=True),
]
REAL = [Real("voltage", 0.5, 1.1), Real("ratio", 1e-3, 1e3, "log")]
EVERY = [*COUNTABLE, *REAL]

countable = pytest.mark.parametrize("parameter", COUNTABLE, ids=lambda p: p.name)
every = pytest.mark.parametrize("parameter", EVERY, ids=lambda p: p.name)


def rng():
    return np.random.default_rng(7)


def all_of(parameter):
    return parameter.choice(np.arange(parameter.count))


def same(a, b):
    return (a == b) if a.ndim == 1 else (a == b).all(axis=1)


@countable
def test_choices_are_distinct_and_know_their_place(parameter):
    column = all_of(parameter)
    assert len(set(parameter.plain(column))) == parameter.count
    assert parameter.index(column).tolist() == list(range(parameter.count))


@every
def test_encoding_lies_between_0_and_1_and_is_undone(parameter):
    column = parameter.draw(200, rng())
    codes = parameter.encode(column)
    assert codes.shape == (200, parameter.width)
    assert codes.min() >= 0
    assert codes.max() <= 1
    again = parameter.decode(codes)
    if math.isinf(parameter.count):
        np.testing.assert_allclose(again, column, rtol=1e-12)
    else:
        assert same(again, column).all()


@countable
def test_every_choice_survives_its_encoding(parameter):
    column = all_of(parameter)
    assert same(parameter.decode(parameter.encode(column)), column).all()


@every
def test_values_survive_json(parameter):
    for value in parameter.plain(parameter.draw(20, rng())):
        assert parameter.canonical(json.loads(json.dumps(value))) == value
        assert parameter.plain(parameter.column([value])) == [value]


@every
def test_any_code_decodes_to_a_value(parameter):
    for value in parameter.plain(parameter.decode(rng().uniform(-1, 2, (50, parameter.width)))):
        assert parameter.canonical(value) == value


@every
def test_neighbors_are_other_values_and_name_the_row_they_belong_to(parameter):
    column = parameter.draw(12, rng())
    found, origin = parameter.neighbors(column)
    assert len(found) == len(origin)
    assert (np.diff(origin) >= 0).all()
    assert not same(found, column[origin]).any()
    for value in parameter.plain(found):
        assert parameter.canonical(value) == value
    if parameter.count > 1:
        assert set(origin) == set(range(12))


@countable
def test_neighbors_are_not_repeated(parameter):
    found, origin = parameter.neighbors(all_of(parameter))
    pairs = list(zip(origin.tolist(), parameter.plain(found)))
    assert len(set(pairs)) == len(pairs)


@countable
def test_every_value_is_reached_through_neighbors(parameter):
    found, origin = parameter.neighbors(all_of(parameter))
    links = {}
    for start, end in zip(origin.tolist(), parameter.index(found).tolist()):
        links.setdefault(start, set()).add(end)
    reached, frontier = {0}, {0}
    while frontier:
        frontier = set().union(*(links.get(i, set()) for i in frontier)) - reached
        reached |= frontier
    assert len(reached) == parameter.count


@pytest.mark.parametrize("parameter", [p for p in EVERY if p.count > 1], ids=lambda p: p.name)
def test_a_step_and_a_mutation_always_change_the_value(parameter):
    column = parameter.draw(500, rng())
    for changed in (parameter.step(column, rng()), parameter.mutate(column, rng())):
        assert not same(changed, column).any()
        assert parameter.plain(changed) == [
            parameter.canonical(v) for v in parameter.plain(changed)
        ]


@pytest.mark.parametrize("parameter", [p for p in COUNTABLE if p.count < 99], ids=lambda p: p.name)
def test_mutation_reaches_every_value(parameter):
    column = parameter.draw(20, rng())
    seen, generator = set(parameter.plain(column)), rng()
    for _ in range(100):
        column = parameter.mutate(column, generator)
        seen |= set(parameter.plain(column))
    assert len(seen) == parameter.count


@every
def test_a_child_of_two_equal_parents_is_like_them(parameter):
    column = parameter.draw(50, rng())
    np.testing.assert_allclose(
        parameter.encode(parameter.cross(column, column, rng())), parameter.encode(column)
    )


@every
def test_a_child_is_a_value_too(parameter):
    generator = rng()
    child = parameter.cross(parameter.draw(99, generator), parameter.draw(99, generator), generator)
    for value in parameter.plain(child):
        assert parameter.canonical(value) == value


@pytest.mark.parametrize(
    "parameter", [p for p in COUNTABLE if p.weights is None], ids=lambda p: p.name
)
def test_every_choice_is_drawn_equally_often(parameter):
    index = parameter.index(parameter.draw(400 * parameter.count, rng()))
    counts = np.bincount(index, minlength=parameter.count)
    assert abs(counts - 400).max() < 5 * math.sqrt(400)


def test_an_integer_on_a_log_scale_is_drawn_as_often_from_every_octave():
    drawn = Integer("words", 1, 1024, scale="log").draw(100_000, rng())
    octaves = Counter(int(math.log2(value)) for value in drawn.tolist())
    assert all(abs(octaves[i] / 100_000 - 1 / 11) < 0.015 for i in range(2, 9))


def test_a_real_on_a_log_scale_is_drawn_as_often_from_every_decade():
    drawn = Real("ratio", 1e-3, 1e3, "log").draw(60_000, rng())
    decades = Counter(math.floor(math.log10(value)) for value in drawn.tolist())
    assert all(abs(decades[i] - 10_000) < 500 for i in range(-3, 3))


@countable
def test_the_distance_of_two_values_is_at_most_one(parameter):
    codes = parameter.encode(all_of(parameter)[:200]) * parameter.distance_weight
    apart = abs(codes[:, None] - codes[None]).sum(axis=2)
    if not getattr(parameter, "ragged", False) and 1 < parameter.count <= 200:
        assert apart.max() == pytest.approx(1)
    assert (np.minimum(apart, 1) <= 1 + 1e-12).all()


@countable
def test_one_hot_fields_tell_all_values_apart(parameter):
    taken = parameter.field_choices(all_of(parameter))
    assert taken.shape == (parameter.count, len(parameter.fields))
    assert (taken >= 0).all()
    assert (taken < parameter.fields).all()
    assert len(np.unique(taken, axis=0)) == parameter.count


def test_a_log_scale_puts_ratios_and_a_linear_one_differences_at_equal_distance():
    values = (1, 2, 4, 8)
    log, linear = Ordinal("a", values, "log"), Ordinal("a", values)
    column = np.array(values)
    np.testing.assert_allclose(log.encode(column)[:, 0], [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(linear.encode(column)[:, 0], [0, 1 / 7, 3 / 7, 1])


def test_a_code_decodes_to_the_nearest_value():
    parameter = Ordinal("a", (1, 2, 4, 8), "log")
    codes = np.array([[0.16], [0.17], [0.49], [0.51], [0.84]])
    assert parameter.decode(codes).tolist() == [1, 2, 2, 4, 8]


def test_a_permutation_is_encoded_as_the_place_of_each_item():
    order = Permutation("order", ("K", "C", "P"))
    assert order.encode(np.array([["P", "K", "C"]])).tolist() == [[0.5, 1.0, 0.0]]


def test_permutations_are_counted_in_lexicographic_order_of_their_items():
    items = ("K", "C", "P", "Q")
    order = Permutation("order", items)
    assert order.plain(all_of(order)) == list(itertools.permutations(items))


@pytest.mark.parametrize("total", [1, 2, 12, 16, 30, 36])
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_exact_factors_multiply_to_the_total_and_none_is_missing(total, parts):
    split = Factorization("split", total, parts)
    expected = {
        factors
        for factors in itertools.product(range(1, total + 1), repeat=parts)
        if math.prod(factors) == total
    } if total < 13 or parts < 4 else None  # fmt: skip
    found = split.plain(all_of(split))
    assert all(math.prod(factors) == total for factors in found)
    assert len(set(found)) == split.count
    if expected is not None:
        assert set(found) == expected


@pytest.mark.parametrize(("total", "parts"), [(1, 3), (2, 3), (7, 3), (10, 2), (12, 3), (9, 4)])
def test_ragged_factors_cover_the_total_and_leave_no_tile_empty(total, parts):
    def left(factors, part):
        return -(-total // math.prod(factors[part + 1 :]))

    expected = {
        factors
        for factors in itertools.product(range(1, total + 1), repeat=parts)
        if factors[0] == left(factors, 0)
        and all(factors[part] <= left(factors, part) for part in range(1, parts))
    }
    split = Factorization("split", total, parts, ragged=True)
    found = split.plain(all_of(split))
    assert set(found) == expected
    assert len(found) == len(expected)
    assert all(math.prod(factors) >= total for factors in found)


def test_exact_factors_are_ragged_ones_that_waste_nothing():
    exact = set(Factorization("a", 12, 3).plain(all_of(Factorization("a", 12, 3))))
    ragged = Factorization("a", 12, 3, ragged=True)
    found = set(ragged.plain(all_of(ragged)))
    assert exact == {factors for factors in found if math.prod(factors) == 12}


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 5000), st.integers(1, 6), st.booleans(), st.integers(0, 2**32))
def test_any_factorization_keeps_its_laws(total, parts, ragged, seed):
    split = Factorization("split", total, parts, ragged=ragged)
    generator = np.random.default_rng(seed)
    column = split.draw(20, generator)
    products = np.prod(column, axis=1)
    assert (products >= total).all() if ragged else (products == total).all()
    assert (split.choice(split.index(column)) == column).all()
    assert (split.decode(split.encode(column)) == column).all()
    assert (split.index(split.step(column, generator)) < split.count).all()
    other = split.draw(20, generator)
    assert (split.index(split.cross(column, other, generator)) < split.count).all()


def test_one_exchange_moves_one_prime_factor():
    split = Factorization("split", 12, 2)
    found, _ = split.neighbors(np.array([[6, 2]]))
    assert set(split.plain(found)) == {(3, 4), (2, 6), (12, 1)}


def test_one_exchange_of_a_ragged_split_doubles_halves_or_nudges():
    split = Factorization("split", 10, 2, ragged=True)
    found, _ = split.neighbors(np.array([[3, 4]]))
    assert set(split.plain(found)) == {(2, 8), (5, 2), (2, 5), (4, 3)}


def test_one_exchange_of_an_order_swaps_two_items():
    order = Permutation("order", ("K", "C", "P"))
    found, _ = order.neighbors(np.array([["K", "C", "P"]]))
    assert set(order.plain(found)) == {("C", "K", "P"), ("P", "C", "K"), ("K", "P", "C")}


def test_a_number_with_many_values_has_few_neighbors():
    words = Integer("words", 1, 100_000)
    found, _ = words.neighbors(np.array([50_000]))
    assert {49_999, 50_001, 50_002, 50_000 + 2**14, 50_000 - 2**14} <= set(found.tolist())
    assert len(found) < 40


def test_exact_types_are_kept():
    assert Ordinal("a", (1, 2)).canonical(2.0) == 2
    assert type(Ordinal("a", (1, 2)).canonical(2.0)) is int
    assert type(Ordinal("a", (0.5, 2)).canonical(2)) is float
    assert type(Integer("a", 1, 4).canonical(np.int64(2))) is int
    assert type(Real("a", 0, 1).canonical(1)) is float
    assert Permutation("a", ("K", "C")).canonical(["C", "K"]) == ("C", "K")
    assert Factorization("a", 6, 2).canonical(np.array([2.0, 3.0])) == (2, 3)


@pytest.mark.parametrize(
    ("parameter", "value", "message", "hint"),
    [
        (Ordinal("a", (1, 2, 8)), 5, "5 is not one of 1, 2, 8", "nearest: 2 or 8"),
        (Ordinal("a", (1, 2, 8)), 9, "9 is not one of", "nearest: 8"),
        (Ordinal("a", (1, 2, 8)), "2", "'2' is not one of", "write a number such as 1"),
        (Ordinal("a", (1, 2, 8)), True, "True is not one of", "write a number"),
        (Ordinal("a", (1, 2, 8)), math.nan, "nan is not one of", "write a number"),
        (Integer("a", 2, 10, 2), 3, "3 is not one of 2 to 10 in steps of 2", "nearest: 2 or 4"),
        (Real("a", 0, 1), 1.5, "1.5 is not a number from 0 to 1", "write a number such as 0"),
        (Real("a", 0, 1), math.inf, "inf is not a number", ""),
        (Categorical("a", ("ws", "os")), "w", "'w' is not one of ws, os", "write 'ws'"),
        (Categorical("a", (1, 2)), True, "True is not one of", "write 1"),
        (Categorical("a", (1, 2)), "1", "'1' is not one of", "write 1"),
        (Categorical("a", (1, 2)), [1], "[1] is not one of", "write 1"),
        (Permutation("a", ("K", "C")), ["K", "K"], "is not an order of K, C", "['K', 'C']"),
        (Permutation("a", ("K", "C")), [["K"], "C"], "is not an order of K, C", ""),
        (Permutation("a", ("K", "C")), 3, "3 is not an order of K, C", ""),
        (Factorization("a", 12, 2), [3, 5], "the product must be 12", "write [12, 1]"),
        (Factorization("a", 12, 2), [3, 4, 1], "is not 2 factors of 12", "write [12, 1]"),
        (Factorization("a", 12, 2), [-3, -4], "the product must be 12", ""),
        (Factorization("a", 12, 2), [10**40, 1], "the product must be 12", ""),
        (Factorization("a", 12, 2), "12", "the product must be 12", ""),
        (Factorization("a", 12, 2), None, "None is not 2 factors", ""),
        (Factorization("a", 10, 2, ragged=True), [2, 4], "later ones leave to cover", ""),
    ],
)
def test_a_wrong_value_is_told_with_what_to_write(parameter, value, message, hint):
    with pytest.raises(DesignError) as caught:
        parameter.canonical(value)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("parameter", "column"),
    [
        (Ordinal("a", (1, 2, 8)), np.array([1, 3])),
        (Ordinal("a", (1, 2, 8)), np.array([1, 99])),
        (Real("a", 0, 1), np.array([0.5, 1.5])),
        (Real("a", 0, 1), np.array([0.5, np.nan])),
        (Categorical("a", ("ws", "os")), np.array(["ws", "zz"])),
        (Permutation("a", ("K", "C")), np.array([["K", "C"], ["K", "K"]])),
        (Permutation("a", ("K", "C")), np.array([["K", "C"], ["K", "Z"]])),
        (Factorization("a", 12, 2), np.array([[3, 4], [3, 5]])),
        (Factorization("a", 12, 2), np.array([[3, 4], [0, 12]])),
        (Factorization("a", 10, 2, ragged=True), np.array([[3, 4], [4, 4]])),
    ],
)
def test_encoding_a_stranger_names_the_design(parameter, column):
    with pytest.raises(DesignError, match="design 1: a: "):
        parameter.encode(column)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Ordinal("a", (1, 2)), ["x"]),
        (Ordinal("a", (1, 2)), [1.5]),
        (Ordinal("a", (1, 2)), [(1, 2)]),
        (Ordinal("a", (1, 2)), [None]),
        (Categorical("a", ("x", "y")), [1]),
        (Categorical("a", (1, 2)), ["x"]),
        (Permutation("a", ("K", "C")), [("K", "C", "P")]),
        (Factorization("a", 12, 2), [(1.5, 8.0)]),
        (Factorization("a", 12, 2), [(1, 2, 6)]),
    ],
)
def test_a_column_of_the_wrong_type_is_refused(parameter, values):
    with pytest.raises(DesignError, match="a: some values are not"):
        parameter.column(values)


@every
def test_an_empty_batch_is_a_batch(parameter):
    column = parameter.column([])
    assert parameter.plain(column) == []
    assert parameter.encode(column).shape == (0, parameter.width)
    assert parameter.plain(parameter.decode(np.empty((0, parameter.width)))) == []
    assert parameter.plain(parameter.draw(0, rng())) == []
    assert len(parameter.neighbors(column)[0]) == 0
    assert len(parameter.mutate(column, rng())) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ordinal("a b", (1,)), "'a b' cannot be the name"),
        (lambda: Ordinal("min", (1,)), "'min' cannot be the name"),
        (lambda: Ordinal("if", (1,)), "'if' cannot be the name"),
        (lambda: Ordinal("été", (1,)), "cannot be the name"),
        (lambda: Ordinal("a", ()), "a: there are no values"),
        (lambda: Ordinal("a", (8, 8)), "a: values must be distinct, got 8 twice"),
        (lambda: Ordinal("a", (8, 4)), "a: values must increase, got 8, 4"),
        (lambda: Ordinal("a", ("x", "y")), "a: values must be numbers of at most 2^53, got 'x'"),
        (lambda: Ordinal("a", (True, 2)), "got True"),
        (lambda: Ordinal("a", (1, math.nan)), "got nan"),
        (lambda: Ordinal("a", (1, 2**60)), "at most 2^53"),
        (lambda: Ordinal("a", (0, 1), "log"), "a: a log scale needs values above 0, got 0"),
        (lambda: Ordinal("a", (1, 2), "cubic"), "a: scale must be linear or log, got 'cubic'"),
        (lambda: Integer("a", 1, 16, 2), "a: steps of 2 from 1 do not reach 16"),
        (lambda: Integer("a", 5, 1), "a: bounds must be [low, high], got [5, 1]"),
        (lambda: Integer("a", 1, 5, 0), "a: step must be at least 1, got 0"),
        (lambda: Integer("a", 1.5, 5), "whole numbers of at most 2^53, got 1.5"),
        (lambda: Integer("a", 0, 10**9), "1,000,000,001 values, at most 1,000,000"),
        (lambda: Integer("a", -1, 5, 1, "log"), "above 0, got -1"),
        (lambda: Real("a", 1, 1), "a: low must be below high, got [1, 1]"),
        (lambda: Real("a", "0", 1), "bounds must be numbers of at most 1e+100, got '0'"),
        (lambda: Real("a", 0, math.inf), "got inf"),
        (lambda: Real("a", 0, 1e200), "got 1e+200"),
        (lambda: Real("a", 0, 1, "log"), "above 0, got 0"),
        (lambda: Categorical("a", ()), "a: there are no values"),
        (lambda: Categorical("a", ("x", "x")), "a: values must be distinct, got 'x' twice"),
        (lambda: Categorical("a", ("x", 1)), "all strings or all whole numbers, got ['x', 1]"),
        (lambda: Categorical("a", (True, False)), "all strings or all whole numbers"),
        (lambda: Categorical("a", (["x"],)), "all strings or all whole numbers, got [['x']]"),
        (lambda: Permutation("a", (["K"],)), "a: items must be strings, got ['K']"),
        (lambda: Permutation("a", ()), "a: there are no values"),
        (lambda: Permutation("a", ("K", "K")), "a: values must be distinct, got 'K' twice"),
        (lambda: Permutation("a", ("K", 1)), "a: items must be strings, got 1"),
        (lambda: Permutation("a", tuple("abcdefghijklmnopqrstu")), "21 items, at most 20"),
        (lambda: Factorization("a", 0, 2), "a: total must be a whole number from 1"),
        (lambda: Factorization("a", 2**40, 2), "total must be a whole number from 1 to 2,147"),
        (lambda: Factorization("a", 2**20, 2, True), "whole number from 1 to 131,072"),
        (lambda: Factorization("a", 8, 0), "a: parts must be a whole number from 1 to 12, got 0"),
        (lambda: Factorization("a", 8.0, 2), "got 8.0"),
        (lambda: Factorization("a", 8, 2, "yes"), "a: ragged must be true or false"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_not_constructed(make, message):
    with pytest.raises(DesignError) as caught:
        make()
    assert message in str(caught.value)


def test_a_real_has_no_choices_to_count():
    real = Real("voltage", 0.5, 1.1)
    for use in (
        lambda: real.fields,
        lambda: real.index(np.array([0.7])),
        lambda: real.choice(np.array([0])),
        lambda: real.field_choices(np.array([0.7])),
    ):
        with pytest.raises(DesignError, match="voltage: a real parameter has no countable choices"):
            use()


@pytest.mark.parametrize("total", [2**31, 2**31 - 1, 735_134_400])
def test_large_totals_are_split_too(total):
    split = Factorization("split", total, 12)
    column = split.draw(100, rng())
    assert (np.prod(column, axis=1) == total).all()
    assert (split.choice(split.index(column)) == column).all()


def test_the_largest_ragged_total_is_split_too():
    split = Factorization("split", 2**17, 6, ragged=True)
    column = split.draw(100, rng())
    assert (split.choice(split.index(column)) == column).all()
    assert (split.decode(split.encode(column)) == column).all()


def test_twenty_items_have_as_many_orders_as_a_64_bit_index_can_tell_apart():
    order = Permutation("order", tuple("abcdefghijklmnopqrst"))
    last = order.choice(np.array([order.count - 1]))
    assert order.plain(last) == [tuple("tsrqponmlkjihgfedcba")]
    assert order.index(last).tolist() == [math.factorial(20) - 1]
