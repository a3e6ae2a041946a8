import itertools
import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from accel_dse import sampling
from accel_dse.constraints import Constraint
from accel_dse.errors import DesignError
from accel_dse.expressions import Expression
from accel_dse.parameters import Categorical, Factorization, Integer, Ordinal, Permutation, Real
from accel_dse.space import DesignSpace

POWERS = (1, 2, 4, 8, 16, 32)


def rules(*texts):
    return tuple(Constraint(Expression(text)) for text in texts)


def edge():
    """The edge space of Apollo and PRIME: values from the released PRIME notebook."""
    pes = (1, 2, 4, 6, 8, 10, 12, 14, 16, 32)

    def powers(low, high):
        return tuple(2**i for i in range(low, high + 1))

    return DesignSpace(
        "edge",
        (
            Ordinal("pes_x", pes, "log"),
            Ordinal("pes_y", pes, "log"),
            Ordinal("cores", powers(2, 8), "log"),
            Ordinal("lanes", pes, "log"),
            Ordinal("pe_memory", powers(18, 24), "log"),
            Ordinal("core_memory", powers(12, 22), "log"),
            Ordinal("activation_memory", powers(8, 14), "log"),
            Ordinal("instruction_memory", powers(13, 16), "log"),
            Ordinal("parameter_memory", powers(11, 15), "log"),
            Ordinal("io_gb_per_s", (5, 10, 16, 20, 25, 30)),
        ),
    )


def mixed(**changes):
    """One parameter of each kind, and constraints among them."""
    space = {
        "name": "mixed",
        "parameters": (
            Ordinal("pes_x", POWERS, "log"),
            Ordinal("pes_y", POWERS, "log", unit="PEs", description="rows"),
            Integer("banks", 1, 16),
            Real("clock_ghz", 0.2, 1.2, "log"),
            Categorical("dataflow", ("ws", "os", "is")),
            Factorization("tiling", 24, 3),
            Factorization("ragged", 10, 2, ragged=True),
            Permutation("order", ("K", "C", "P")),
        ),
        "constraints": rules(
            "pes_x * pes_y <= 128",
            "prod(tiling[1:]) <= 2 * banks",
            "dataflow == 'ws' or position(order, 'K') < position(order, 'C')",
        ),
        "features": {"peak": Expression("pes_x * pes_y * clock_ghz")},
    }
    return DesignSpace(**(space | changes))


def countable():
    """`mixed` without its real, small enough to list."""
    return DesignSpace(
        "countable",
        (
            Ordinal("a", (1, 2, 4)),
            Integer("b", 1, 4),
            Categorical("c", ("x", "y")),
            Factorization("d", 4, 2),
            Permutation("e", ("K", "C")),
        ),
        rules("a * b <= 8", "c == 'x' or d[0] > 1"),
    )


def rng(seed=0):
    return np.random.default_rng(seed)


def keep(space, designs):
    for design in designs:
        space.check(design)


def listed(space):
    """All valid designs, the slow way."""
    choices = [p.plain(p.choice(np.arange(p.count))) for p in space.parameters]
    designs = [dict(zip(space.names, values)) for values in itertools.product(*choices)]
    return [design for design in designs if design in space]


@st.composite
def spaces(draw, reals=True):
    """Small spaces of any kinds, with constraints that may leave nothing."""
    ints = st.lists(st.integers(-5, 40), min_size=1, max_size=5, unique=True).map(sorted)
    kinds = [
        ints.map(lambda v: lambda n: Ordinal(n, tuple(v))),
        st.tuples(st.integers(-3, 3), st.integers(0, 4), st.integers(1, 3)).map(
            lambda t: lambda n: Integer(n, t[0], t[0] + t[1] * t[2], t[2])
        ),
        st.integers(1, 4).map(lambda k: lambda n: Categorical(n, tuple("wxyz"[:k]))),
        st.tuples(st.integers(1, 12), st.integers(1, 3), st.booleans()).map(
            lambda t: lambda n: Factorization(n, *t)
        ),
        st.integers(1, 3).map(lambda k: lambda n: Permutation(n, tuple("KCP"[:k]))),
    ]
    if reals:
        kinds.append(st.just(lambda n: Real(n, -1.0, 2.0)))
    makers = draw(st.lists(st.one_of(kinds), min_size=1, max_size=4))
    parameters = tuple(make(f"p{i}") for i, make in enumerate(makers))
    numbers = [
        f"prod({p.name})" if isinstance(p, Factorization) else p.name
        for p in parameters
        if not isinstance(p, Categorical | Permutation)
    ]
    terms = st.sampled_from(numbers) if numbers else st.nothing()
    texts = draw(
        st.lists(
            st.tuples(terms, st.sampled_from(["+", "*"]), terms, st.integers(-4, 40)).map(
                lambda t: f"{t[0]} {t[1]} {t[2]} <= {t[3]}"
            ),
            max_size=2 if numbers else 0,
        )
    )
    return DesignSpace("random", parameters, rules(*texts))


PROPERTY = settings(
    derandomize=True,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


def test_the_edge_space_has_its_published_size():
    assert edge().size == 452_760_000
    assert edge().fields == (10, 10, 7, 10, 7, 11, 7, 4, 5, 6)
    assert edge().one_hot(edge().sample(3, rng())).shape == (3, 77)


@PROPERTY
@given(spaces(reals=False))
def test_all_valid_designs_are_counted_and_listed(space):
    expected = listed(space)
    assert space.count_valid() == len(expected)
    found = space.designs(space.every())
    assert len(found) == len(expected)
    assert all(design in expected for design in found)
    assert len({tuple(design.values()) for design in found}) == len(expected)


@PROPERTY
@given(spaces(), st.integers(0, 2**32))
def test_samples_variations_and_children_are_valid(space, seed):
    assume(space.count_valid() != 0)
    generator = rng(seed)
    try:
        designs = space.sample(12, generator)
    except DesignError:
        assume(False)
    keep(space, designs)
    keep(space, space.mutate(designs, generator))
    keep(space, space.mutate(designs, generator, rate=1.0))
    keep(space, space.crossover(designs[:6], designs[6:], generator))
    keep(space, space.neighbors(designs[0]))


@PROPERTY
@given(spaces(reals=False), st.integers(0, 2**32))
def test_designs_survive_every_encoding(space, seed):
    assume(space.count_valid() != 0)
    designs = space.sample(12, rng(seed))
    assert space.designs(space.columns(designs)) == designs
    assert space.decode(space.encode(designs)) == designs
    assert space.from_indices(space.indices(designs)) == designs
    assert [space.canonical(json.loads(json.dumps(design))) for design in designs] == designs
    assert (space.one_hot(designs).sum(axis=1) == len(space.fields)).all()


@PROPERTY
@given(spaces(), st.integers(0, 2**32))
def test_a_neighbor_differs_in_one_parameter(space, seed):
    assume(space.count_valid() != 0)
    try:
        (design,) = space.sample(1, rng(seed))
    except DesignError:
        assume(False)
    for neighbor in space.neighbors(design):
        assert sum(neighbor[name] != design[name] for name in space.names) == 1


@pytest.mark.parametrize("most_rows", [2**18, 7, 1])
def test_every_valid_design_is_drawn_equally_often_however_many_are_listed(monkeypatch, most_rows):
    monkeypatch.setattr(sampling, "MOST_ROWS", most_rows)
    space = countable()
    expected = listed(countable())
    assert (space.count_valid() is None) == (most_rows < 2**18)
    counts = dict.fromkeys((tuple(design.values()) for design in expected), 0)
    for design in space.sample(200 * len(expected), rng()):
        counts[tuple(design.values())] += 1
    assert max(abs(count - 200) for count in counts.values()) < 5 * np.sqrt(200)


def test_designs_that_grow_together_are_drawn_nearly_equally_often(monkeypatch):
    monkeypatch.setattr(sampling, "MOST_ROWS", 1)
    monkeypatch.setattr(sampling, "ENOUGH", 2**30)
    expected = listed(countable())
    counts = dict.fromkeys((tuple(design.values()) for design in expected), 0)
    for design in countable().sample(200 * len(expected), rng()):
        counts[tuple(design.values())] += 1
    assert max(abs(count - 200) for count in counts.values()) < 0.35 * 200


def test_valid_designs_are_found_where_one_draw_in_a_billion_is_valid():
    names = [f"p{i}" for i in range(60)]
    chain = DesignSpace(
        "chain",
        tuple(Integer(name, 1, 30) for name in names),
        rules(*(f"{a} < {b} + 5" for a, b in itertools.pairwise(names)), "p0 == p59"),
    )
    designs = chain.sample(20, rng())
    keep(chain, designs)
    assert len({tuple(design.values()) for design in designs}) >= 15
    assert chain.sample(20, rng()) == designs
    assert chain.share_valid(20_000, rng()) == 0


@pytest.mark.parametrize("most_rows", [2**18, 1])
def test_a_log_scale_keeps_its_weights_under_constraints(monkeypatch, most_rows):
    monkeypatch.setattr(sampling, "MOST_ROWS", most_rows)
    space = DesignSpace(
        "log", (Integer("a", 1, 64, scale="log"), Integer("b", 1, 2)), rules("a * b <= 64")
    )
    columns = space.sample_columns(40_000, rng())
    doubled = columns["b"] == 2
    assert np.median(columns["a"][~doubled]) == pytest.approx(8, abs=1)
    assert np.median(columns["a"][doubled]) == pytest.approx(5.5, abs=1)


def test_what_random_draws_would_hardly_ever_find_is_listed_instead():
    sparse = DesignSpace(
        "sparse",
        tuple(Integer(name, 1, 500) for name in "abcd"),
        rules("a * b == 168", "c == a + 1", "d * 2 == c"),
    )
    designs = sparse.sample(100, rng())
    keep(sparse, designs)
    divisors_of_168_one_below_an_even_number = {1, 3, 7, 21}
    assert {design["a"] for design in designs} == divisors_of_168_one_below_an_even_number
    assert sparse.count_valid() == 4


def test_what_is_too_long_to_list_is_drawn_and_refused():
    names = [f"p{i}" for i in range(12)]
    wide = DesignSpace(
        "wide",
        tuple(Ordinal(name, tuple(range(1, 9))) for name in names),
        rules(f"{' + '.join(names)} <= 45"),
    )
    keep(wide, wide.sample(50, rng()))
    assert wide.count_valid() is None
    with pytest.raises(DesignError, match="too many designs to count, at most 1,000,000"):
        wide.every()


def test_a_sample_is_fixed_by_its_seed():
    assert mixed().sample(20, rng(3)) == mixed().sample(20, rng(3))
    assert mixed().sample(20, rng(3)) != mixed().sample(20, rng(4))


def test_the_share_of_valid_designs_is_that_of_a_count():
    space = countable()
    exact = len(listed(space)) / space.size
    assert space.share_valid(40_000, rng()) == pytest.approx(exact, abs=0.01)


def test_nothing_valid_says_which_constraint_rejects_most_and_how_often():
    space = DesignSpace(
        "empty",
        (Ordinal("pes_x", POWERS), Ordinal("pes_y", POWERS)),
        (
            Constraint(Expression("pes_x * pes_y > 4096"), "the budget"),
            *rules("pes_x <= 16"),
        ),
    )
    with pytest.raises(DesignError) as caught:
        space.sample(1, rng())
    assert str(caught.value) == (
        "there is no valid design: of 100,000 random ones, constraint "
        "'pes_x * pes_y > 4096' (the budget) rejects 100.0%"
    )
    assert "'pes_x <= 16' rejects 1" in caught.value.hint
    assert space.count_valid() == 0
    assert space.designs(space.every()) == []


def test_nothing_found_among_reals_is_told_from_nothing_there():
    space = DesignSpace("hard", (Real("a", 0, 1), Real("b", 0, 1)), rules("a + b > 1.99999999"))
    with pytest.raises(DesignError, match=r"found no valid design.*'a \+ b > 1.99999999' rejects"):
        space.sample(1, rng())


def test_a_rule_may_divide_by_what_another_rule_keeps_from_zero():
    parameters = (Integer("a", 0, 8), Integer("b", 0, 8))
    guarded = DesignSpace("guarded", parameters, rules("a / b <= 2", "b > 0"))
    keep(guarded, guarded.sample(50, rng()))
    assert guarded.count_valid() == sum(a <= 2 * b for a in range(9) for b in range(1, 9))

    bare = DesignSpace("bare", parameters, rules("a / b <= 2"))
    with pytest.raises(DesignError, match="'a / b' has no finite value for a=0, b=0"):
        bare.sample(1, rng())


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        ({"pes_x": 5}, "pes_x: 5 is not one of 1, 2, 4, 8, 16, 32", "nearest: 4 or 8"),
        ({"pe_x": 4}, "no parameter is named 'pe_x'", "did you mean 'pes_x'"),
        ({"banks": None}, "banks: None is not one of 1 to 16", "write a number such as 1"),
        ({"clock_ghz": 3}, "clock_ghz: 3 is not a number from 0.2 to 1.2", ""),
        ({"dataflow": "rs"}, "dataflow: 'rs' is not one of ws, os, is", "write 'ws'"),
        ({"tiling": (5, 5, 1)}, "tiling: (5, 5, 1) is not 3 factors of 24", "[24, 1, 1]"),
        ({"order": ("K", "C")}, "order: ('K', 'C') is not an order of K, C, P", ""),
        ({"pes_x": 4.0}, "pes_x: 4.0 must be given as 4", "use space.canonical"),
        ({"pes_x": np.int64(4)}, "must be given as 4", "use space.canonical"),
        ({"order": ["K", "C", "P"]}, "must be given as ('K', 'C', 'P')", ""),
        ({"tiling": (np.int64(24), 1, 1)}, "must be given as (24, 1, 1)", ""),
        ({"clock_ghz": 1}, "clock_ghz: 1 must be given as 1.0", ""),
        (
            {"pes_x": 32, "pes_y": 8},
            "constraint 'pes_x * pes_y <= 128' does not hold for pes_x=32, pes_y=8",
            "",
        ),
    ],
)
def test_a_design_that_does_not_belong_is_refused_with_place_value_and_fix(change, message, hint):
    good = {
        "pes_x": 4,
        "pes_y": 4,
        "banks": 16,
        "clock_ghz": 1.0,
        "dataflow": "ws",
        "tiling": (24, 1, 1),
        "ragged": (2, 5),
        "order": ("K", "C", "P"),
    }
    space = mixed()
    space.check(good)
    assert good in space
    assert good | change not in space
    with pytest.raises(DesignError) as caught:
        space.check(good | change)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_missing_parameter_is_named():
    design = mixed().sample(1, rng())[0]
    del design["banks"]
    with pytest.raises(DesignError, match="banks: missing"):
        mixed().check(design)
    with pytest.raises(DesignError, match="banks: missing from a design"):
        mixed().columns([design])


def test_canonical_designs_have_exact_types_and_the_order_of_the_parameters():
    design = dict(mixed().sample(1, rng())[0])
    loose = {name: np.asarray(value)[()] for name, value in reversed(design.items())}
    assert list(mixed().canonical(loose).items()) == list(design.items())
    mixed().check(mixed().canonical(loose))


def test_columns_have_one_row_for_each_design():
    columns = mixed().sample_columns(7, rng())
    assert columns["pes_x"].dtype == np.int64
    assert columns["clock_ghz"].dtype == np.float64
    assert columns["dataflow"].shape == (7,)
    assert columns["tiling"].shape == (7, 3)
    assert columns["order"].shape == (7, 3)
    assert mixed().feature_values(columns)["peak"].tolist() == pytest.approx(
        (columns["pes_x"] * columns["pes_y"] * columns["clock_ghz"]).tolist()
    )


def test_violations_are_told_constraint_by_constraint():
    space = DesignSpace("two", (Ordinal("a", (1, 2, 3)),), rules("a > 1", "a < 3"))
    columns = {"a": np.array([1, 2, 3])}
    assert space.violated(columns).tolist() == [[True, False], [False, False], [False, True]]
    assert space.satisfied(columns).tolist() == [False, True, False]


def test_an_empty_batch_is_a_batch():
    space = mixed()
    assert space.sample(0, rng()) == []
    assert space.designs(space.columns([])) == []
    assert space.encode([]).shape == (0, space.width)
    assert space.mutate([], rng()) == []
    assert space.crossover([], [], rng()) == []
    assert space.distance([], []).shape == (0, 0)


def test_the_encoding_names_its_numbers():
    assert len(mixed().encoded_names) == mixed().width == 4 + 3 + 3 + 2 + 3
    assert mixed().encoded_names[:6] == (
        "pes_x", "pes_y", "banks", "clock_ghz", "dataflow[ws]", "dataflow[os]",
    )  # fmt: skip


def test_decoding_goes_to_the_nearest_valid_value_of_each_parameter():
    space = DesignSpace("two", (Ordinal("a", POWERS, "log"), Categorical("b", ("x", "y"))))
    assert space.decode(np.array([[0.55, 0.2, 0.3], [-1.0, 0.9, 0.0]])) == [
        {"a": 8, "b": "y"},
        {"a": 1, "b": "x"},
    ]


@pytest.mark.parametrize("codes", [np.zeros(3), np.zeros((2, 2)), np.full((1, 3), np.nan)])
def test_codes_of_the_wrong_shape_are_a_bug_of_the_caller(codes):
    space = DesignSpace("two", (Ordinal("a", POWERS, "log"), Categorical("b", ("x", "y"))))
    with pytest.raises(ValueError, match="expected finite codes of shape"):
        space.decode(codes)


def test_indices_are_checked():
    space = countable()
    with pytest.raises(DesignError, match="an index is out of range"):
        space.from_indices(np.array([[0, 0, 2, 0, 0]]))
    with pytest.raises(DesignError, match="an index is out of range"):
        space.from_indices(np.array([[-1, 0, 0, 0, 0]]))
    with pytest.raises(ValueError, match="expected whole numbers of shape"):
        space.from_indices(np.zeros((1, 5)))


def test_a_real_has_no_index_and_no_one_hot_field():
    designs = mixed().sample(2, rng())
    assert mixed().size == float("inf")
    assert mixed().count_valid() is None
    for use in (mixed().indices, mixed().one_hot):
        with pytest.raises(DesignError, match="clock_ghz: a real parameter has no countable"):
            use(designs)


def test_a_one_hot_encoding_that_is_too_wide_is_refused():
    space = DesignSpace("wide", (Integer("a", 1, 100_000),))
    with pytest.raises(DesignError, match="100,000 one-hot inputs are too many"):
        space.one_hot(space.sample(1, rng()))


def test_one_hot_fields_are_in_the_order_of_the_parameters():
    space = DesignSpace("two", (Ordinal("a", (1, 2, 4)), Permutation("b", ("K", "C"))))
    assert space.fields == (3, 2, 2)
    assert space.one_hot([{"a": 2, "b": ("C", "K")}]).tolist() == [[0, 1, 0, 0, 1, 1, 0]]


def test_distances_are_symmetric_bounded_and_zero_only_for_equals():
    designs = mixed().sample(40, rng())
    apart = mixed().distance(designs, designs)
    assert apart.shape == (40, 40)
    np.testing.assert_allclose(apart, apart.T)
    np.testing.assert_allclose(np.diag(apart), 0)
    assert apart.max() <= 1
    assert (apart + np.eye(40) > 0).all()


def test_opposite_corners_are_at_distance_one():
    space = DesignSpace(
        "corners",
        (
            Ordinal("a", POWERS, "log"),
            Categorical("b", ("x", "y", "z")),
            Permutation("c", ("K", "C", "P", "Q")),
            Factorization("d", 16, 3),
        ),
    )
    low = {"a": 1, "b": "x", "c": ("K", "C", "P", "Q"), "d": (16, 1, 1)}
    high = {"a": 32, "b": "z", "c": ("Q", "P", "C", "K"), "d": (1, 1, 16)}
    assert space.distance([low], [high]).tolist() == [[pytest.approx(1)]]


def test_neighbors_of_several_designs_name_the_one_they_belong_to():
    space = countable()
    designs = space.sample(5, rng())
    columns, origin = space.neighbor_columns(space.columns(designs))
    found = space.designs(columns)
    for i, design in enumerate(designs):
        own = [neighbor for neighbor, row in zip(found, origin) if row == i]
        assert own == space.neighbors(design)


def test_a_few_values_are_all_neighbors_of_each_other():
    (design,) = edge().sample(1, rng())
    assert len(edge().neighbors(design)) == 77 - 10


def test_mutation_changes_at_least_one_parameter_and_by_default_one_or_two():
    designs = edge().sample(2000, rng())
    changed = [
        sum(a[name] != b[name] for name in a)
        for a, b in zip(designs, edge().mutate(designs, rng()))
    ]
    assert min(changed) == 1
    assert np.mean(changed) == pytest.approx(1.35, abs=0.1)
    everything = edge().mutate(designs[:50], rng(), rate=1.0)
    assert all(a[name] != b[name] for a, b in zip(designs, everything) for name in a)


def test_mutation_is_fixed_by_its_seed_and_leaves_its_parents_alone():
    designs = mixed().sample(30, rng())
    before = [dict(design) for design in designs]
    assert mixed().mutate(designs, rng(1)) == mixed().mutate(designs, rng(1))
    assert designs == before


def test_mutation_finds_a_way_where_almost_nothing_is_valid():
    line = DesignSpace("line", (Integer("a", 0, 400), Integer("b", 0, 400)), rules("a == b"))
    designs = line.sample(20, rng())
    assert line.neighbors(designs[0]) == []
    keep(line, line.mutate(designs, rng()))


def test_a_space_of_one_design_has_no_variations():
    point = DesignSpace("point", (Ordinal("a", (3,)), Categorical("b", ("x",))))
    assert point.sample(2, rng()) == [{"a": 3, "b": "x"}] * 2
    assert point.neighbors({"a": 3, "b": "x"}) == []
    assert point.mutate([{"a": 3, "b": "x"}], rng()) == [{"a": 3, "b": "x"}]


def test_a_child_takes_each_number_and_name_from_one_of_its_parents():
    designs = edge().sample(200, rng())
    children = edge().crossover(designs[:100], designs[100:], rng())
    for a, b, child in zip(designs[:100], designs[100:], children):
        assert all(child[name] in (a[name], b[name]) for name in child)
    from_first = np.mean(
        [
            child[name] == a[name]
            for a, b, child in zip(designs[:100], designs[100:], children)
            for name in child
            if a[name] != b[name]
        ]
    )
    assert from_first == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({"parameters": ()}, "space 'mixed' has no parameters", ""),
        (
            {"parameters": (Ordinal("a", (1,)), Ordinal("a", (2,))), "constraints": ()},
            "two parameters are named 'a'",
            "",
        ),
        ({"constraints": rules("pe_x > 1")}, "nothing is named 'pe_x'", "did you mean 'pes_x'"),
        ({"constraints": rules("1 < 2")}, "constraint '1 < 2' names no parameter", ""),
        ({"constraints": rules("dataflow * 2 > 1")}, "is text, expected a number", ""),
        (
            {"constraints": rules("dataflow == 'wss'")},
            "dataflow is never 'wss'",
            "did you mean 'ws'",
        ),
        ({"constraints": rules("order[0] == 'X'")}, "order is never 'X'", "known: K, C, P"),
        ({"constraints": rules("tiling * 2 > 1")}, "'tiling': has several values", "index it"),
        ({"constraints": rules("tiling[3] > 1")}, "there are 3 values, from 0", ""),
        ({"constraints": rules("banks[0] > 1")}, "banks has one value, not several", ""),
        ({"features": {"banks": Expression("pes_x")}}, "feature 'banks' has the name of", ""),
        ({"features": {"f": Expression("nope")}}, "nothing is named 'nope'", ""),
    ],
)
def test_a_space_that_makes_no_sense_is_not_constructed(changes, message, hint):
    with pytest.raises(DesignError) as caught:
        mixed(**changes)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_a_feature_without_a_value_names_the_design():
    space = DesignSpace("f", (Integer("a", 0, 3),), (), {"inverse": Expression("1 / a")})
    with pytest.raises(DesignError, match="'1 / a': no finite value for a=0"):
        space.feature_values({"a": np.array([1, 0])})


def test_the_fingerprint_is_that_of_the_content():
    reference = mixed().fingerprint()
    assert mixed(name="other").fingerprint() == reference
    renamed = mixed(
        parameters=(Ordinal("pes_x", POWERS, "log", description="new"), *mixed().parameters[1:])
    )
    assert renamed.fingerprint() == reference
    changed = [
        mixed(constraints=mixed().constraints[1:]),
        mixed(features={}),
        mixed(parameters=mixed().parameters[::-1]),
        mixed(parameters=(Ordinal("pes_x", POWERS), *mixed().parameters[1:])),
    ]
    assert len({reference, *(space.fingerprint() for space in changed)}) == 5


def test_the_fingerprint_is_the_same_in_years_to_come():
    space = DesignSpace("a", (Ordinal("a", (1, 2)), Real("b", 0, 0.5)), rules("a > 1"))
    assert space.content() == {
        "parameters": {
            "a": {"ordinal": [1, 2], "scale": "linear"},
            "b": {"real": [0.0, 0.5], "scale": "linear"},
        },
        "constraints": ["a > 1"],
        "features": {},
    }
    assert space.fingerprint() == (
        "4fa094a6fe8734d602b4ebf834f9538bc5e359bf406cfae3e1208df60019158f"
    )


def test_spaces_are_values():
    space = mixed()
    again = pickle.loads(pickle.dumps(space))
    assert again == space
    assert hash(again) == hash(space)
    assert again.sample(3, rng()) == space.sample(3, rng())


def test_a_notebook_shows_the_space_and_executes_none_of_it():
    space = DesignSpace(
        "<script>alert(1)</script>",
        (Ordinal("a", (1, 2), description="<img src=x onerror=alert(1)>", unit="<b>"),),
        (Constraint(Expression("a < 2"), "<script>"),),
    )
    page = space._repr_html_()
    assert "<script>" not in page
    assert "<img" not in page
    assert "a &lt; 2" in page
    assert "2 designs" in page
