import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accel_dse.errors import DesignError
from accel_dse.expressions import MAX_LENGTH, Expression
from accel_dse.files import load_space
from accel_dse.formula import MAX_DEPTH
from accel_dse.mapping_features import MappingFeatures
from accel_dse.mapping_space import LayerMapping
from accel_dse.template import read_template
from accel_dse.workloads.load import load

COLUMNS = {
    "a": np.array([1, 2, 3, 4]),
    "b": np.array([0, 1, 0, 2]),
    "x": np.array([0.5, 1.5, -2.5, 3.0]),
    "dataflow": np.array(["ws", "os", "ws", "is"]),
    "tiling": np.array([[2, 3, 4], [1, 1, 24], [24, 1, 1], [6, 2, 2]]),
    "order": np.array([["K", "C", "P"], ["C", "K", "P"], ["P", "K", "C"], ["K", "P", "C"]]),
}

NAMES = st.sampled_from(["a", "b", "x"])
NUMBERS = st.integers(0, 9).map(str)
ARITHMETIC = st.recursive(
    NAMES | NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda part: f"(-{part})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} > 2 else {p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"max({p[0]}, {p[1]})"),
        inner.map(lambda part: f"({part} ** 2)"),
    ),
    max_leaves=12,
)
LOGIC = st.recursive(
    st.tuples(ARITHMETIC, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), ARITHMETIC).map(
        " ".join
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
        inner.map(lambda part: f"(not {part})"),
    ),
    max_leaves=4,
)


def values(text):
    return Expression(text).evaluate(COLUMNS).tolist()


def refusal(text, columns=COLUMNS):
    with pytest.raises(DesignError) as caught:
        Expression(text).evaluate(columns)
    return str(caught.value), caught.value.hint


@settings(derandomize=True, deadline=None, max_examples=300)
@given(ARITHMETIC | LOGIC)
def test_a_formula_means_what_python_says_it_means(text):
    for row in range(4):
        here = {name: float(COLUMNS[name][row]) for name in ("a", "b", "x")}
        try:
            expected = eval(text, {"max": max}, here)
        except ZeroDivisionError:
            refusal(text, here)
            continue
        except OverflowError:
            continue
        if abs(expected) > 1e300:
            continue
        assert Expression(text).evaluate(here).tolist() == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ceil(x) + floor(x)", [1, 3, -5, 6]),
        ("round(x * 3)", [2, 4, -8, 9]),
        ("abs(x)", [0.5, 1.5, 2.5, 3]),
        ("sqrt(a * a)", [1, 2, 3, 4]),
        ("log2(exp2(a))", [1, 2, 3, 4]),
        ("ceil_div(a, 3)", [1, 1, 1, 2]),
        ("min(a, b, 1)", [0, 1, 0, 1]),
        ("where(b > 0, a / b, -1)", [-1, 2, -1, 2]),
        ("1 < a <= 3", [False, True, True, False]),
        ("a in (1, 4)", [True, False, False, True]),
        ("a not in [1, 4]", [False, True, True, False]),
        ("1e9 * a", [1e9, 2e9, 3e9, 4e9]),
        ("not b", [True, False, True, False]),
        ("True", [True] * 4),
        ("7", [7] * 4),
    ],
)
def test_functions_and_comparisons(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dataflow == 'ws'", [True, False, True, False]),
        ("'ws' != dataflow", [False, True, False, True]),
        ("dataflow in ('os', 'is')", [False, True, False, True]),
        ("order[0] == 'K'", [True, False, False, True]),
        ("position(order, 'K') < position(order, 'C')", [True, False, True, True]),
    ],
)
def test_text_is_compared_but_never_computed_with(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tiling[0]", [2, 1, 24, 6]),
        ("tiling[-1]", [4, 24, 1, 2]),
        ("prod(tiling)", [24, 24, 24, 24]),
        ("prod(tiling[1:])", [12, 24, 1, 4]),
        ("sum(tiling[:-1])", [5, 2, 25, 8]),
        ("max(tiling)", [4, 24, 24, 6]),
        ("min(tiling[0], tiling[1])", [2, 1, 1, 2]),
    ],
)
def test_parts_of_a_structured_column_are_indexed_and_reduced(text, expected):
    assert values(text) == expected


def test_scalars_and_columns_mix():
    columns = {"a": np.array([1, 2]), "limit": 3}
    assert Expression("a * limit").evaluate(columns).tolist() == [3, 6]
    assert Expression("limit + 1").evaluate({"limit": 3}).tolist() == [4]


def test_a_comparison_is_boolean_and_all_else_is_float():
    assert Expression("a > 1").evaluate(COLUMNS).dtype == bool
    assert Expression("a + 1").evaluate(COLUMNS).dtype == np.float64


def test_large_products_do_not_wrap_around():
    huge = {"a": np.array([2**40]), "b": np.array([2**40])}
    assert Expression("a * b").evaluate(huge).tolist() == [2.0**80]


@pytest.mark.parametrize(
    "text",
    [
        "b == 0 or a / b <= 2",
        "b > 0 and a / b <= 2",
        "a / b if b > 0 else -1",
        "where(b == 0, 1, a / b)",
        "(b == 0 or a / b < 9) and (b == 0 or a % b == 0)",
    ],
)
def test_the_part_that_is_not_reached_may_divide_by_zero(text):
    assert len(values(text)) == 4


@pytest.mark.parametrize("text", ["a / b <= 2 or b == 0", "a / b > 1 and b > 0", "a % b", "a // b"])
def test_the_part_that_is_reached_may_not(text):
    message, hint = refusal(text)
    assert message.endswith("no finite value for a=1, b=0")
    assert "b == 0 or a / b <= 2" in hint


@pytest.mark.parametrize(
    ("text", "culprit"),
    [
        ("1 + sqrt(x - 2)", "'sqrt(x - 2)' has no finite value for x=0.5"),
        ("1 + log2(b)", "'log2(b)' has no finite value for b=0"),
        ("a + 10 ** (a * 1000)", "'10 ** (a * 1000)' has no finite value for a=1"),
        ("(1 / b if b > 0 else 0) + 1 / (a - 1)", "'1 / (a - 1)' has no finite value for b=0, a=1"),
        (
            "(b > 0 and 1 / b > 0) or 1 / (a - 1) > 0",
            "'1 / (a - 1)' has no finite value for b=0, a=1",
        ),
        ("2 / (tiling[0] - 1)", "no finite value for tiling=[1, 1, 24]"),
    ],
)
def test_a_missing_value_names_the_term_and_the_first_row(text, culprit):
    message, _ = refusal(text)
    assert message == f"{text!r}: {culprit}"


def test_rows_without_a_value_can_be_marked_instead():
    rows, undefined = Expression("a / b <= 2").evaluate_where_defined(COLUMNS)
    assert undefined.tolist() == [True, False, True, False]
    assert rows[~undefined].tolist() == [True, True]


def test_a_value_that_is_not_finite_to_begin_with_is_refused():
    assert "no finite value for a=nan" in refusal("a <= 3", {"a": np.array([1.0, np.nan])})[0]


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__",
        "a.real",
        "a.sum()",
        "[i for i in a]",
        "lambda: 1",
        "f'{a}'",
        "(a := 3)",
        "{'a': 1}",
        "{a}",
        "print(a)",
        "eval('1')",
        "max(*a)",
        "min(a, b, default=1)",
        "a @ b",
        "a & 1",
        "a << 2",
        "~a",
        "a is b",
        "a in b",
        "a in ()",
        "a[b]",
        "tiling[0:2:1]",
        "tiling[True]",
        "(a + b)[0]",
        "tiling[0][0]",
        "yield a",
        "await a",
        "1j",
        "None",
        "...",
        "b'a'",
        "(1, 2)",
        "position(a + b, 'K')",
        "position(order, a)",
        "a; b",
        "import os",
        "a = 3",
        "",
        "   ",
        "\x00",
        "$",
    ],
)
def test_whatever_is_not_a_formula_is_refused_before_it_is_evaluated(text):
    with pytest.raises(DesignError):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("pe_x * 2", "'pe_x * 2', column 1: nothing is named 'pe_x'", "did you mean 'pes_x'"),
        ("2 * celi(a)", "'2 * celi(a)', column 5: 'celi(a)': no function is named 'celi'",
         "did you mean 'ceil'"),
        ("a + min", "'a + min', column 5: 'min': min is a function", "write min(...)"),
        ("sqrt(a, 2)", "'sqrt(a, 2)': sqrt takes 1 value(s), got 2", ""),
        ("a * (b", "'a * (b', column 5: cannot read this expression: '(' was never closed", ""),
        ("a +", "'a +', column 4: cannot read this expression: invalid syntax", ""),
        ("dataflow * 2", "'dataflow * 2', column 1: 'dataflow': is text, expected a number",
         "compare it with == or in"),
        ("dataflow < 'x'", "column 1: 'dataflow': is text, which has no order", "with == or !="),
        ("dataflow == 3", "column 1: 'dataflow': is text, '3' is a number", ""),
        ("tiling * 2", "'tiling * 2', column 1: 'tiling': has several values",
         "index it, or use prod, sum, min, max"),
        ("tiling[3]", "'tiling[3]': out of range: there are 3 values, from 0", ""),
        ("a[0]", "'a[0]': a has one value, not several", ""),
        ("dataflow", "'dataflow': is text, expected a number or a comparison", ""),
        ("max(order)", "'max(order)': expected several numbers", ""),
        ("position(tiling, 'K')", "'tiling': is not a permutation", ""),
    ],
)  # fmt: skip
def test_an_error_names_the_text_the_column_and_the_remedy(text, message, hint):
    found, remedy = refusal(text, COLUMNS | {"pes_x": np.array([1, 2, 3, 4])})
    assert message in found
    assert hint in remedy


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_LENGTH + 1),
        "(" * 300 + "a" + ")" * 300,
        "-" * (MAX_DEPTH + 1) + "a",
        "+".join(["a"] * (MAX_DEPTH + 5)),
        "-" * 1900 + "a",
        "9" * 500,
        "1e999",
    ],
)
def test_a_formula_has_limits_and_the_message_is_short(text):
    message, _ = refusal(text)
    assert len(message) < 400


def test_a_tower_of_powers_has_no_value_and_takes_no_time():
    assert "no finite value" in refusal("9 ** 9 ** 9 ** 9 ** 9")[0]


def test_a_formula_may_span_lines():
    assert Expression("a\n  + b").text == "a + b"


def test_columns_of_different_length_are_a_bug_of_the_caller():
    with pytest.raises(ValueError, match="columns differ in length"):
        Expression("a + b").evaluate({"a": np.zeros(2), "b": np.zeros(3)})


def test_expressions_are_values():
    formula = Expression("a * b <= 3")
    again = pickle.loads(pickle.dumps(formula))
    assert again == formula
    assert hash(again) == hash(formula)
    assert again.evaluate(COLUMNS).tolist() == formula.evaluate(COLUMNS).tolist()
    assert formula.names == ("a", "b")
    assert Expression("dataflow == 'ws' or 'os' == dataflow").compared == (
        ("dataflow", "ws"),
        ("dataflow", "os"),
    )


def test_evaluating_leaves_the_columns_alone():
    column = np.array([1.0, 2.0])
    result = Expression("a").evaluate({"a": column})
    result[:] = 0
    assert column.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("space", "network"), [("eyeriss_168", "resnet_k"), ("edge", "mobilenet_v2")]
)
def test_the_longest_features_and_rules_of_a_mapping_are_within_the_limit(space, network, ragged):
    file = load_space(space)
    template = read_template(file.accelerator, file.space)
    largest = max(load(network).unique(), key=lambda layer: layer.macs / layer.count)
    mapping = LayerMapping(template, largest, ragged)
    assert len(mapping.features) == len(MappingFeatures(mapping._formulas).texts())
    texts = [str(e) for e in mapping.features.values()]
    assert max(map(len, texts)) < MAX_LENGTH / 2
    assert max(len(constraint.rule.text) for constraint in mapping.constraints) < MAX_LENGTH / 2
