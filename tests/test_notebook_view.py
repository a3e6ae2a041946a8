import pytest

from accel_dse.notebook_view import HEIGHT, curve, facts, folded, table

EVIL = "<img src=x onerror=alert(1)>"
NAN = float("nan")


def test_nothing_that_is_shown_can_run():
    shown = [
        table([{EVIL: EVIL, "n": 1}], bar="n"),
        facts({EVIL: EVIL}),
        folded(EVIL, ""),
        curve([2.0, 1.0], EVIL),
    ]
    for html in shown:
        assert "&lt;img" in html
        assert "<img" not in html


def test_numbers_stand_to_the_right_and_read_well():
    html = table([{"layer": "conv", "MACs": 123_456, "share": 0.123456, "none": NAN}])
    assert '<td style="text-align:right">123,456</td>' in html
    assert '<td style="text-align:right">0.1235</td>' in html
    assert '<td style="text-align:right"></td>' in html
    assert '<td style="text-align:left">conv</td>' in html


def test_a_long_table_is_shortened_and_says_so():
    rows = [{"i": i} for i in range(1_030)]
    html = table(rows)
    assert html.count("<tr>") == 21
    assert "and 1,010 more" in html
    assert "more" not in table(rows[:20])
    assert table([]) == "<p>nothing</p>"


def test_the_longest_bar_is_full_and_the_others_are_in_proportion():
    html = table([{"n": 4}, {"n": 1}, {"n": 0}], bar="n")
    assert [f"width:{w}px" in html for w in (80, 20, 0)] == [True] * 3
    assert "width:0px" in table([{"n": 0}], bar="n"), "all are zero"


@pytest.mark.parametrize("values", [[], [NAN], [NAN, 3.0]])
def test_a_curve_needs_two_values(values):
    assert curve(values, "latency_ms") == ""


def test_a_curve_goes_from_its_first_value_to_its_last():
    html = curve([NAN, 4.0, 4.0, 2.0], "latency_ms")
    assert "latency_ms: 4 to 2 in 4 trials" in html
    assert f"V{HEIGHT - 2:.1f}" in html, "the least value is at the bottom"
    assert "nan" not in html
    assert "nan" not in curve([1.0] * 5, "flat")


def test_a_long_curve_is_thinned():
    assert len(curve([float(-i) for i in range(100_000)], "x")) < 10_000
